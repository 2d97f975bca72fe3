package hosts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// build makes the program, as a release is made.
func (b *bench) build(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", filepath.Join(b.dir, "swarmscript"), "github.com/swarmscript/swarmscript/cmd/swarmscript")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
}

// apply runs the program and returns what it said.
func (b *bench) apply(ctx context.Context, f *fleet) (took, string, error) {
	addresses, err := json.Marshal(f.addresses())
	if err != nil {
		return took{}, "", err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(b.dir, "swarmscript"), "apply", "cluster.star", "--auto-approve",
		"--var", "key="+b.key.file, "--var", "managers="+strconv.Itoa(managers), "--var", "addresses="+string(addresses))
	cmd.Dir, cmd.Env = b.jobDir(), b.home()
	return timed(cmd)
}

// timed runs a program to its end.
func timed(cmd *exec.Cmd) (took, string, error) {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	begun := time.Now()
	err := cmd.Run()
	t := took{wall: time.Since(begun)}
	if cmd.ProcessState != nil {
		t.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, out.Bytes())
	}
	return t, out.String(), err
}

// swarmscript does the job.
func (b *bench) swarmscript(ctx context.Context, f *fleet) (took, error) {
	t, _, err := b.apply(ctx, f)
	return t, err
}

// unchanged is an apply that finds nothing to do.
func (b *bench) unchanged(ctx context.Context, f *fleet) (took, error) {
	t, out, err := b.apply(ctx, f)
	if err == nil && !strings.Contains(out, "No changes.") {
		err = errors.New("a second apply has something to do:\n" + out)
	}
	return t, err
}
