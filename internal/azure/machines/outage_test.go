package machines_test

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/swarm"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/azure/azuretest"
	"github.com/swarmscript/swarmscript/internal/azure/emulator"
	"github.com/swarmscript/swarmscript/internal/lab/api"
	"github.com/swarmscript/swarmscript/internal/lab/whatif/outcome"
	"github.com/swarmscript/swarmscript/internal/run"
)

// outageScript is a swarm of three managers, each with a disk, whose service answers
// at all of them.
const outageScript = `
project("azure-swarm", env = "demo")
az = azure("westeurope")
managers = [vm("mgr-%d" % i, provider = az, data_disks = [disk("data-%d" % i, 8, sku = "Standard_LRS")]) for i in range(3)]
for m in managers:
    docker_install(m, users = [m.user])
cluster = swarm.init(managers[0], advertise_addr = managers[0].private_ip)
for m in managers[1:]:
    swarm.join(m, cluster, role = "manager", advertise_addr = m.private_ip)
service("web", image = "nginx:1.27", replicas = 3, ports = [port(80, published = 8080)])
`

// newOutageStory begins a story of machines that are switched off.
func newOutageStory(t *testing.T) (*exampleStory, *powers) {
	t.Helper()
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("SSH_AUTH_SOCK", "")
	l, behind := azuretest.Lab(t)
	file := filepath.Join(t.TempDir(), "cluster.star")
	must(t, os.WriteFile(file, []byte(outageScript), 0o600))
	s := &exampleStory{azureStory: azureStory{T: t, file: file}, lab: l}
	watched := &powers{story: s, off: map[string]bool{}}
	azuretest.Start(t, behind, func(o *emulator.Options) { watched.Machines, o.Machines = o.Machines, watched }).Setenv(t)
	return s, watched
}

// powers are machines that note when they are switched off, and what ran on them
// then.
type powers struct {
	emulator.Machines
	story *exampleStory

	mu     sync.Mutex
	off    map[string]bool
	busy   bool     // one is being switched off, or started
	cycles []string // which were switched off, in their order
	wrong  []string
}

// Power implements [emulator.Machines].
func (p *powers) Power(ctx context.Context, id string, what emulator.Power) error {
	name := path.Base(id)
	p.mu.Lock()
	p.busy = true
	if what == emulator.Stop {
		if len(p.off) > 0 {
			p.wrong = append(p.wrong, fmt.Sprintf("%s is switched off beside %v", name, p.off))
		}
		if problem := p.story.busy(name); problem != "" {
			p.wrong = append(p.wrong, problem)
		}
		p.off[name] = true
		p.cycles = append(p.cycles, name)
	}
	p.mu.Unlock()
	err := p.Machines.Power(ctx, id, what)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy = false
	if what == emulator.Start {
		delete(p.off, name)
	}
	return err
}

// cycled are the machines that were switched off since it was asked last; it fails the
// test where one was while something ran on it, or another one was off.
func (p *powers) cycled() []string {
	p.story.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.wrong {
		p.story.Error(w)
	}
	out := p.cycles
	p.cycles, p.wrong = nil, nil
	slices.Sort(out)
	return out
}

// busy says what keeps a machine from being switched off, "" where nothing does.
func (s *exampleStory) busy(name string) string {
	c := s.engineOf(func(h *api.Host) bool { return h.Name != name && h.State == api.Running })
	defer c.Close()
	nodes, err := c.NodeList(s.Context(), swarm.NodeListOptions{})
	if err != nil {
		return err.Error()
	}
	i := slices.IndexFunc(nodes, func(n swarm.Node) bool { return n.Description.Hostname == name })
	if n := nodes[i]; n.Spec.Availability != swarm.NodeAvailabilityDrain || n.Spec.Labels["swarmscript.rests"] != "active" {
		return fmt.Sprintf("%s is %s, %v when it is switched off", name, n.Spec.Availability, n.Spec.Labels)
	}
	tasks, err := c.TaskList(s.Context(), swarm.TaskListOptions{Filters: filters.NewArgs(filters.Arg("node", nodes[i].ID))})
	if err != nil {
		return err.Error()
	}
	for _, task := range tasks {
		if task.Status.State == swarm.TaskStateRunning && task.DesiredState == swarm.TaskStateRunning {
			return fmt.Sprintf("%s is switched off under task %d", name, task.Slot)
		}
	}
	return ""
}

// stays applies again, which changes nothing.
func (s *exampleStory) stays() {
	s.Helper()
	s.apply(false)
	if n := len(s.last.Steps); n != 0 {
		s.Errorf("applied again, there are %d steps: %s %s", n, s.last.Steps[0].Change.Action, s.last.Steps[0].Change.Address)
	}
}

// simulated is what the simulation of a plan says of the one service.
func (s *exampleStory) simulated() outcome.Service {
	s.Helper()
	p, err := run.Plan(s.Context(), run.Options{File: s.file})
	must(s.T, err)
	defer p.Close()
	reports, err := p.Simulate(s.Context())
	must(s.T, err)
	if len(reports) != 1 || len(reports[0].Services) != 1 {
		s.Fatalf("the simulation has %+v", reports)
	}
	return reports[0].Services[0]
}

// The disks of all managers become others, which needs each machine to be off: one
// after another, behind its tasks, and the swarm stays able to agree.
func TestDisksOfManagers(t *testing.T) {
	s, p := newOutageStory(t)
	s.apply(false)
	s.stays()
	all := []string{"mgr-0", "mgr-1", "mgr-2"}

	s.edit("Standard_LRS", "Premium_LRS")
	if web := s.simulated(); web.Moved < 3 || web.Interrupted > 0 || web.Fewest < 1 {
		t.Errorf("the simulation says of it: %+v", web)
	}
	s.apply(false)
	if got := p.cycled(); !slices.Equal(got, all) {
		t.Errorf("%v were switched off", got)
	}
	s.nodes(0)
	s.moved()
	s.stays()

	// A machine and its disk are so too, and not at once.
	s.edit(`provider = az, `, `provider = az, size = "Standard_B2ms", `)
	s.edit("Premium_LRS", "StandardSSD_LRS")
	s.apply(false)
	if got := p.cycled(); !slices.Equal(slices.Compact(got), all) {
		t.Errorf("%v were switched off", got)
	}
	s.nodes(0)
	s.moved()
	s.stays()
}

// A manager that is not to run is drained, and deallocated; the swarm goes on without
// it. When it runs again it is back, with what has changed meanwhile.
func TestManagerIsSwitchedOff(t *testing.T) {
	s, p := newOutageStory(t)
	s.apply(false)
	const one, other = `vm("mgr-%d" % i, provider = az`, `vm("mgr-%d" % i, running = i != 0, provider = az`
	s.edit(one, other)
	s.edit("docker_install(m, users = [m.user])", `docker_install(m, users = [m.user]); file(m, "/etc/motd", content = "new")`)
	s.apply(false)
	if got := p.cycled(); !slices.Equal(got, []string{"mgr-0"}) {
		t.Errorf("%v were switched off", got)
	}
	s.stays()
	s.edit(other, one)
	s.apply(false)
	s.nodes(0)
	s.moved()
	s.stays()
}

// An apply that ends while a machine is off for its disk's sake: the next starts it
// before another one goes, and its node takes tasks again.
func TestCutWhileOff(t *testing.T) {
	s, p := newOutageStory(t)
	s.apply(false)
	s.edit("Standard_LRS", "Premium_LRS")
	// Not that which the swarm is reached through: the lease of a run that was killed
	// is in the way until it expires.
	if err := s.try(false, func(e apply.Event) bool { return e.Address.Name() == "data-1" && strings.HasSuffix(e.Text, " boots") }); err == nil {
		t.Fatal("it was not cut short")
	}
	p.idle()
	if got := p.cycled(); !slices.Equal(got, []string{"mgr-0", "mgr-1"}) || len(p.off) != 1 {
		t.Errorf("%v were switched off, and %v are off", got, p.off)
	}
	s.apply(false)
	if got := p.cycled(); !slices.Equal(got, []string{"mgr-2"}) {
		t.Errorf("%v were switched off after it", got)
	}
	s.nodes(0)
	s.stays()
}

// idle waits until Azure has done what it was asked for.
func (p *powers) idle() {
	p.story.Helper()
	for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		p.mu.Lock()
		busy := p.busy
		p.mu.Unlock()
		if !busy {
			return
		}
		if time.Since(begun) > time.Minute {
			p.story.Fatal("a machine is still being switched off")
		}
	}
}
