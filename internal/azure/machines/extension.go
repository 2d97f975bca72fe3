package machines

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/swarmscript/swarmscript/internal/azure/emulator"
)

// extensionLimit is how long an extension may run, as Azure's agent has it.
const extensionLimit = 90 * time.Minute

// Run implements [emulator.Runner]. The script comes by standard input, for no secret
// of it to be among the machine's processes.
func (b behind) Run(ctx context.Context, id, script string) (ran emulator.Ran, err error) {
	err = b.the(ctx, id, func(m *machine) error {
		ran, err = execute(ctx, m, script)
		return err
	})
	return ran, err
}

// runFile keeps a script for root alone while it runs.
const runFile = `umask 077; f=$(mktemp) && cat >"$f" || exit 1; cd /; sh "$f" </dev/null; s=$?; rm -f "$f"; exit $s`

func execute(ctx context.Context, m *machine, script string) (emulator.Ran, error) {
	ctx, cancel := context.WithTimeout(ctx, extensionLimit)
	defer cancel()
	client, a, err := reach(ctx, m)
	if err != nil {
		return emulator.Ran{}, err
	}
	defer client.Close()
	stop := context.AfterFunc(ctx, func() { client.Close() })
	defer stop()
	session, err := client.NewSession()
	if err != nil {
		return emulator.Ran{}, err
	}
	defer session.Close()
	var stdout, stderr bytes.Buffer
	session.Stdin, session.Stdout, session.Stderr = strings.NewReader(script), &stdout, &stderr
	command := "sh -c " + quote(runFile)
	if a.user != "root" {
		command = "sudo " + command
	}
	err = session.Run(command)
	ran := emulator.Ran{Stdout: stdout.String(), Stderr: stderr.String()}
	var exit *ssh.ExitError
	if errors.As(err, &exit) {
		ran.Status, err = exit.ExitStatus(), nil
	}
	return ran, err
}
