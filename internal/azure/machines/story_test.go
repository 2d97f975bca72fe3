package machines_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/azure/azuretest"
	"github.com/swarmscript/swarmscript/internal/azure/emulator"
	"github.com/swarmscript/swarmscript/internal/run"
)

// From a login to a running service: machines of Azure, whose emulator has hosts of a
// lab behind them, become a swarm. Applied again it changes nothing; with another
// worker there is one more; in the end nothing is left.
func TestSwarmInAzure(t *testing.T) {
	t.Setenv("HOME", t.TempDir()) // no key: one is made
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("SSH_AUTH_SOCK", "")
	l, option := azuretest.Lab(t)
	server := azuretest.Start(t, option)
	server.Setenv(t)

	s := &azureStory{T: t, file: filepath.Join(t.TempDir(), "cluster.star")}
	s.script(1)
	s.apply(false)
	s.apply(false) // nothing to do
	if n := len(s.last.Steps); n != 0 {
		t.Errorf("applied again, there are %d steps", n)
	}
	s.script(2)
	s.apply(false)
	hosts, err := l.Hosts(t.Context())
	must(t, err)
	if len(hosts) != 3 {
		t.Errorf("there are %d machines, want 3", len(hosts))
	}
	s.apply(true)
	if hosts, err = l.Hosts(t.Context()); err != nil || len(hosts) != 0 {
		t.Errorf("left: %v, %v", hosts, err)
	}
}

// An apply that ends while Azure makes a machine is gone on with by the next: it waits
// for that machine, and works on it at the address that it has only then.
func TestMachineIsTakenUp(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("SSH_AUTH_SOCK", "")
	l, option := azuretest.Lab(t)
	slow := &slowMachines{asked: make(chan struct{}), boots: make(chan struct{})}
	azuretest.Start(t, option, func(o *emulator.Options) { slow.Machines, o.Machines = o.Machines, slow }).Setenv(t)

	s := &azureStory{T: t, file: filepath.Join(t.TempDir(), "cluster.star")}
	s.write(`
project("shop", env = "test")
m = vm("mgr-0", provider = azure("westeurope"))
file(m, "/etc/motd", content = "hello")
output("address", m.public_ip)
`)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-slow.asked; cancel() }()
	p, err := run.Plan(ctx, run.Options{File: s.file})
	must(t, err)
	_, err = p.Apply(ctx, run.ApplyOptions{Why: "a test"})
	p.Close()
	if ctx.Err() == nil {
		t.Fatalf("the first apply did not come to the machine: %v", err)
	}

	p, err = run.Plan(t.Context(), run.Options{File: s.file, Timeout: 5 * time.Minute})
	must(t, err)
	defer p.Close()
	close(slow.boots)
	got, err := p.Apply(t.Context(), run.ApplyOptions{Why: "a test"})
	must(t, err)
	for _, r := range got.Steps {
		if r.Err != nil {
			t.Errorf("%s: %v", r.Change.Address, r.Err)
		}
	}
	hosts, err := l.Hosts(t.Context())
	must(t, err)
	if len(hosts) != 1 || len(got.Outputs) != 1 || got.Outputs[0].Value != hosts[0].Address {
		t.Errorf("the machines are %+v, and the output is %+v", hosts, got.Outputs)
	}
	s.apply(true)
}

// slowMachines boot when they are let.
type slowMachines struct {
	emulator.Machines
	once         sync.Once
	asked, boots chan struct{}
}

func (s *slowMachines) Boot(ctx context.Context, m emulator.Machine) (emulator.Booted, error) {
	s.once.Do(func() { close(s.asked) })
	select {
	case <-s.boots:
		return s.Machines.Boot(ctx, m)
	case <-ctx.Done():
		return emulator.Booted{}, ctx.Err()
	}
}

type azureStory struct {
	*testing.T
	file string
	vars []string
	last *apply.Result
}

func (s *azureStory) script(workers int) {
	s.Helper()
	s.write(strings.ReplaceAll(`
project("shop", env = "test")
az = azure("westeurope")
mgr = vm("mgr-0", provider = az)
workers = [vm("wrk-%d" % i, provider = az, cpus = 2) for i in range(WORKERS)]
for m in [mgr] + workers:
    docker_install(m, users = [m.user]) # a lab has no docker command that sudo could run
cluster = swarm.init(mgr, advertise_addr = mgr.private_ip)
for w in workers:
    swarm.join(w, cluster, role = "worker")
service("web", image = "nginx:1.27", replicas = 2)
output("address", mgr.public_ip)
`, "WORKERS", string(rune('0'+workers))))
}

func (s *azureStory) write(text string) {
	s.Helper()
	must(s.T, os.WriteFile(s.file, []byte(text), 0o600))
}

// apply applies, which must go well.
func (s *azureStory) apply(destroy bool) {
	s.Helper()
	must(s.T, s.try(destroy, nil))
}

// try plans and applies as the program does, until an event says stop, and returns
// what went wrong.
func (s *azureStory) try(destroy bool, stop func(apply.Event) bool) error {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), 10*time.Minute)
	defer cancel()
	p, err := run.Plan(ctx, run.Options{File: s.file, Vars: s.vars, Destroy: destroy, AllowDataLoss: destroy, Timeout: 5 * time.Minute})
	must(s.T, err)
	defer p.Close()
	s.Logf("observed %s", p.Observed)
	s.last, err = p.Apply(ctx, run.ApplyOptions{Why: "a test", Sink: func(e apply.Event) {
		if stop != nil && stop(e) {
			cancel()
		}
	}})
	if s.last == nil {
		return err
	}
	for _, r := range s.last.Steps {
		if r.Outcome != apply.OK {
			err = errors.Join(err, fmt.Errorf("%s: %s %w", r.Change.Address, r.Change.Action, r.Err))
		}
	}
	return err
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
