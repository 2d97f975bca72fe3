package lab

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/swarmscript/swarmscript/internal/lab/api"
)

const (
	// startLimit is how long a process may take to bring a lab back: one of a
	// hundred hosts takes seconds.
	startLimit = 2 * time.Minute
	startPause = 10 * time.Millisecond
)

// The one line that a process says once it serves, and instead of it that
// another one has the lab. Anything else is why it does not.
const (
	SaysReady = "ready"
	SaysTaken = "taken"
)

// ErrNone is that of a lab that is not there.
var ErrNone = errors.New("there is no lab")

// Start sees that the lab's process runs, and is of this binary; where there is
// no lab, it makes one.
func (l *Lab) Start(ctx context.Context) error {
	_, err := l.known(ctx)
	return err
}

func (l *Lab) start(ctx context.Context) (*api.Process, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("lab: it was not there within %s: %s says more", startLimit, l.file(api.LogFile)))
	defer cancel()
	build, err := Build()
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	for {
		p, _, err := l.running(ctx)
		switch {
		case err == nil && p.Build == build:
			return p, nil
		case err == nil:
			err = l.end(ctx, p)
		case ctx.Err() == nil:
			err = l.spawn(ctx)
		}
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause
		}
		if err != nil {
			return nil, err
		}
	}
}

// Stop ends the lab's process, if one runs. The lab stays on disk.
func (l *Lab) Stop(ctx context.Context) (was bool, err error) {
	p, _, err := l.running(ctx)
	if err != nil {
		return false, ctx.Err() // nobody answers: there is nothing to end
	}
	defer l.forget() // while it closes its connections, nobody should send by one
	return true, l.end(ctx, p)
}

// end asks a process to end, and waits until it has let go of the lab.
func (l *Lab) end(ctx context.Context, p *api.Process) error {
	if err := l.call(ctx, p, "POST", "/v1/stop", nil, nil); err != nil && ctx.Err() != nil {
		return err
	}
	for {
		if now, err := l.process(); err != nil || now.PID != p.PID || now.Token != p.Token {
			return nil
		}
		if err := l.call(ctx, p, "GET", "/v1/lab", nil, nil); errors.Is(err, errNoAnswer) && !errors.Is(err, errEnding) && ctx.Err() == nil {
			return nil // it was killed meanwhile
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// spawn starts a process, and returns once it serves, or has found that another
// one has the lab.
func (l *Lab) spawn(ctx context.Context) error {
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	cmd := exec.Command(l.program[0], append(l.program[1:], "--dir", l.dir)...) // outlives ctx
	cmd.Dir = filepath.VolumeName(l.dir) + string(filepath.Separator)
	cmd.Env = append(environment(os.Environ()), l.env...)
	cmd.SysProcAttr = detached()
	log, err := os.OpenFile(l.file(api.LogFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a process that ended has just removed the folder: once more
	} else if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	defer log.Close()
	cmd.Stderr = log // for the trace of a panic
	said, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	line := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(said).ReadString('\n') // what ends without a line says nothing
		line <- strings.TrimSpace(text)
		_ = cmd.Wait() // of this process's life: so that none is left behind that nobody asked after
	}()
	select {
	case text := <-line:
		switch text {
		case SaysReady:
			return nil
		case SaysTaken:
			return pause(ctx) // the other one is about to serve
		case "":
			return fmt.Errorf("lab: its process ended before it served: %s", l.lastWords())
		}
		return fmt.Errorf("lab: %s", text)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// lastWords are the last line of the lab's log.
func (l *Lab) lastWords() string {
	text, err := os.ReadFile(l.file(api.LogFile))
	if err != nil {
		return "it left no log"
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(lines[len(lines)-1])
}

// environment is what a process that goes on in the background gets of ours: what
// programs need to run, and none of what is secret in it.
func environment(all []string) (out []string) {
	for _, kv := range all {
		name, _, _ := strings.Cut(kv, "=")
		switch strings.ToUpper(name) {
		case "PATH", "HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "TEMP", "TMP", "USERPROFILE", "LOCALAPPDATA", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR",
			"GODEBUG", "GORACE", "GOTRACEBACK", "GOCOVERDIR", "GOMAXPROCS", "GOMEMLIMIT", "GOGC", "SWARMSCRIPT_LAB_IDLE", "SWARMSCRIPT_LAB_DEBUG":
			out = append(out, kv)
		}
	}
	return out
}

// process reads where the lab's process answers.
func (l *Lab) process() (*api.Process, error) {
	text, err := os.ReadFile(l.file(api.ProcessFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNone
	}
	p := &api.Process{}
	if err == nil {
		err = json.Unmarshal(text, p)
	}
	return p, err
}

// running returns the process that serves the lab, or why there is none. What is
// left of one that was killed is no obstacle: nobody answers there, or somebody
// who does not know the token.
func (l *Lab) running(ctx context.Context) (*api.Process, *api.Info, error) {
	p, err := l.process()
	if err != nil {
		return nil, nil, err
	}
	info := &api.Info{}
	if err := l.call(ctx, p, "GET", "/v1/lab", nil, info); err != nil {
		return nil, nil, err
	}
	if info.PID != p.PID {
		return nil, nil, errNoAnswer
	}
	return p, info, nil
}

func pause(ctx context.Context) error {
	select {
	case <-time.After(startPause):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
