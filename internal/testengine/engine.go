package testengine

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A Version is a release of Docker that can be started.
type Version struct {
	name  string
	built bool // from the tools module, not Debian's
}

func (v Version) String() string { return v.name }

var (
	Debian20 = Version{name: "docker-20.10"}               // Debian 12's docker.io: 20.10.24, API 1.41
	Docker28 = Version{name: "docker-28.5.2", built: true} // API 1.51
)

type options struct {
	hostname string
	args     []string
	env      []string
	tcp, tls bool
}

// An Option changes how an engine is started.
type Option func(*options)

// Hostname sets the host name, which is the name of the swarm's node. The default is e and a number.
func Hostname(name string) Option { return func(o *options) { o.hostname = name } }

// Args adds arguments of dockerd, as "--label=zone=a".
func Args(args ...string) Option { return func(o *options) { o.args = append(o.args, args...) } }

// Env adds variables ("NAME=value") to dockerd's environment.
func Env(vars ...string) Option { return func(o *options) { o.env = append(o.env, vars...) } }

// TCP also serves the API on [Engine.TCPHost], to anybody.
func TCP() Option { return func(o *options) { o.tcp = true } }

// TLS also serves the API on [Engine.TCPHost], to clients with the certificate in [Engine.CertPath].
func TLS() Option { return func(o *options) { o.tls = true } }

// An Engine is a Docker Engine on a machine of its own.
type Engine struct {
	Host     string // "unix:///...", as in DOCKER_HOST
	Addr     string // its IP address, for a swarm's advertise address and mode=host ports
	Hostname string
	TCPHost  string // "tcp://IP:2375" or 2376; empty without the option
	CertPath string // as in DOCKER_CERT_PATH: ca.pem, cert.pem, key.pem; empty without TLS

	*machine
	tb testing.TB
}

// Start starts an engine for a test, and removes it and all it made at the test's end. It skips the test only where
// engines cannot be: away from Linux, or without root.
func Start(tb testing.TB, v Version, opts ...Option) *Engine {
	tb.Helper()
	if err := usable(); err != nil {
		tb.Skip(err)
	}
	e, err := New(v, opts...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("the end of %s's log:\n%s", v, e.logTail())
		}
		if err := e.Close(); err != nil {
			tb.Error(err)
		}
	})
	return e.In(tb)
}

// New starts an engine for several tests, as from TestMain. Close it at the end. Each test uses [Engine.In]: what fails a
// test (Docker, Images, Restart, ...) needs to know which.
func New(v Version, opts ...Option) (*Engine, error) {
	cache, err := ready(context.Background())
	if err != nil {
		return nil, err
	}
	s, err := takeSlot()
	if err != nil {
		return nil, err
	}
	m := &machine{slot: s, cache: cache, version: v, options: options{hostname: s.name()}}
	for _, opt := range opts {
		opt(&m.options)
	}
	e := &Engine{Host: "unix://" + s.file("docker.sock"), Addr: s.address(), Hostname: m.options.hostname, machine: m}
	// Its own configuration file, as /etc/docker's is not for it.
	if err := errors.Join(os.WriteFile(s.file("daemon.json"), []byte("{}\n"), 0o644), e.listeners()); err != nil {
		return nil, errors.Join(err, m.close())
	}
	if err := m.boot(); err != nil {
		return nil, errors.Join(err, m.close())
	}
	return e, nil
}

// In is the engine for one test or subtest: failures are told to it. The engine is the same one.
func (e *Engine) In(tb testing.TB) *Engine {
	bound := *e
	bound.tb = tb
	return &bound
}

// Close ends the engine as [Engine.Kill] does and removes its folder, cgroups and address. A second call does nothing.
func (e *Engine) Close() error { return e.machine.close() }

// Docker runs the docker CLI 28.5.2 against the engine and returns its standard output without the last line's end. The
// test fails if the CLI does.
func (e *Engine) Docker(args ...string) string {
	e.tb.Helper()
	out, err := e.TryDocker(args...)
	if err != nil {
		e.tb.Fatal(err)
	}
	return out
}

// TryDocker is Docker for what may fail. The error holds what the CLI wrote on standard error.
func (e *Engine) TryDocker(args ...string) (string, error) {
	return e.dockerInput("", args...)
}

// DockerInput is Docker with a standard input, as for `docker secret create NAME -`.
func (e *Engine) DockerInput(input string, args ...string) string {
	e.tb.Helper()
	out, err := e.dockerInput(input, args...)
	if err != nil {
		e.tb.Fatal(err)
	}
	return out
}

// cliLimit ends a CLI that would wait forever, as `docker service create` does for a task that never starts.
const cliLimit = 2 * time.Minute

func (e *Engine) dockerInput(input string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), cliLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(e.cache, "docker"), args...)
	// Not the user's: a config folder of a path that is not there is an empty one.
	cmd.Env = []string{"DOCKER_HOST=" + e.Host, "DOCKER_CONFIG=/var/empty/swarmscript-test", "PATH=" + systemPath, "HOME=/var/empty"}
	cmd.Stdin = strings.NewReader(input)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), &CLIError{Args: args, Stderr: strings.TrimSpace(stderr.String()), Err: err}
	}
	return strings.TrimSuffix(stdout.String(), "\n"), nil
}

// A CLIError is a docker command that failed.
type CLIError struct {
	Args   []string
	Stderr string
	Err    error
}

func (e *CLIError) Error() string {
	return "docker " + strings.Join(e.Args, " ") + ": " + e.Err.Error() + ": " + e.Stderr
}

func (e *CLIError) Unwrap() error { return e.Err }

// Images loads the test images. It takes a quarter of a second.
func Images(e *Engine) {
	e.tb.Helper()
	e.Docker("load", "--quiet", "--input", filepath.Join(e.cache, imagesFile))
}

// Kill is a power cut: dockerd, containerd and all containers end at once. What is on disk stays.
func (e *Engine) Kill() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.cut()
}

// Restart boots the machine again, after an orderly shutdown if it runs. Addresses and data are the same.
func (e *Engine) Restart() {
	e.tb.Helper()
	e.mu.Lock()
	e.stop()
	e.mu.Unlock()
	if err := e.boot(); err != nil {
		e.tb.Fatal(err)
	}
}

// Pause makes the whole machine hang, containers too: connections open, and nobody answers. Continue wakes it.
func (e *Engine) Pause() {
	e.tb.Helper()
	if err := e.signalAll(sigStop); err != nil {
		e.tb.Fatal(err)
	}
}

// Continue undoes Pause.
func (e *Engine) Continue() {
	e.tb.Helper()
	if err := e.signalAll(sigCont); err != nil {
		e.tb.Fatal(err)
	}
}

// Logs is all that the engine wrote since it was first started.
func (e *Engine) Logs() string { return e.log() }
