package machines_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/azure/azuretest"
	"github.com/swarmscript/swarmscript/internal/azure/emulator"
	"github.com/swarmscript/swarmscript/internal/azure/machines"
	"github.com/swarmscript/swarmscript/internal/lab"
	"github.com/swarmscript/swarmscript/internal/run"
)

// From a login to a running service: machines of Azure, whose emulator has hosts of a
// lab behind them, become a swarm. Applied again it changes nothing; with another
// worker there is one more; in the end nothing is left.
func TestSwarmInAzure(t *testing.T) {
	t.Setenv("HOME", t.TempDir()) // no key: one is made
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("SSH_AUTH_SOCK", "")
	l, err := lab.Open(filepath.Join(t.TempDir(), "lab"))
	must(t, err)
	owner, err := l.Own()
	must(t, err)
	t.Cleanup(func() {
		if err := l.Reset(context.Background()); err != nil {
			t.Error(err)
		}
		owner.Close()
	})
	server := azuretest.Start(t, func(o *emulator.Options) { o.Machines = machines.OfLab(l) })
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

type azureStory struct {
	*testing.T
	file string
	vars []string
	last *apply.Result
}

func (s *azureStory) script(workers int) {
	s.Helper()
	text := strings.ReplaceAll(`
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
`, "WORKERS", string(rune('0'+workers)))
	must(s.T, os.WriteFile(s.file, []byte(text), 0o600))
}

// apply plans and applies as the program does.
func (s *azureStory) apply(destroy bool) {
	s.Helper()
	s.try(destroy, nil)
	for _, r := range s.last.Steps {
		if r.Outcome != apply.OK {
			s.Errorf("%s: %s %v", r.Change.Address, r.Change.Action, r.Err)
		}
	}
	if s.Failed() {
		s.FailNow()
	}
}

// try does so until an event says stop, however it ends.
func (s *azureStory) try(destroy bool, stop func(apply.Event) bool) {
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
	if stop == nil {
		must(s.T, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
