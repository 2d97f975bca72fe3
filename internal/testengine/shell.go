package testengine

import (
	"bytes"
	"errors"
	"os/exec"
	"strconv"
	"strings"
)

// Shell runs a command on the engine's machine, in its network and with its mounts, and returns its output without the
// last line's end: to look at its links, or to close a port with iptables. The test fails if the command does.
func (e *Engine) Shell(command string) string {
	e.tb.Helper()
	out, err := e.TryShell(command)
	if err != nil {
		e.tb.Fatal(err)
	}
	return out
}

// TryShell is Shell for what may fail. The error is what the command wrote on standard error.
func (e *Engine) TryShell(command string) (string, error) {
	e.mu.Lock()
	pid := e.pid
	e.mu.Unlock()
	if pid == 0 {
		return "", errors.New("the engine does not run")
	}
	cmd := exec.Command("nsenter", "--target", strconv.Itoa(pid), "--net", "--mount", "--pid", "--uts", "bash", "-c", command)
	cmd.Env = []string{"PATH=" + systemPath}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), errors.Join(errors.New(strings.TrimSpace(stderr.String())), err)
	}
	return strings.TrimSuffix(stdout.String(), "\n"), nil
}
