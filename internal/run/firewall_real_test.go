package run

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/local"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/testengine"
	"github.com/swarmscript/swarmscript/internal/testhost"
)

// walled is a project of machines of its own, each behind a firewall.
type walled struct {
	*fixture
	site *local.Site
}

func newWalled(t *testing.T) *walled {
	site := testhost.Site(t)
	f := &walled{newFixture(t, &testengine.Engine{}), site}
	f.opts.Timeout = 5 * time.Minute
	return f
}

// members declares machines that are a swarm: "a", or "a:debian-13" for one that
// is made from another image. All of them manage it.
func (f *walled) members(text string) {
	f.Helper()
	f.opts.File = write(f.T, f.dir, `project(var("project"))
site = local(site = var("site"))
members = []
for m in var("members").split(" "):
    name, _, image = m.partition(":")
    members.append(vm(name, provider = site, image = image or "debian-12"))
for m in members:
    package(m, "ufw")
    docker_install(m, source = "distribution")
    firewall(m, rules = [rule(port = 22, proto = "tcp")])
cluster = swarm.init(members[0], advertise_addr = members[0].private_ip)
for m in members[1:]:
    swarm.join(m, cluster, role = "manager", advertise_addr = m.private_ip)
`)
	f.opts.Vars = []string{"project=" + f.project, "site=" + f.site.Name(), "members=" + text}
}

// machine returns one of the machines.
func (f *walled) machine(name string) *local.Machine {
	f.Helper()
	all, err := f.site.List()
	if err != nil {
		f.Fatal(err)
	}
	i := slices.IndexFunc(all, func(m *local.Machine) bool { return m.Name == name })
	if i < 0 {
		f.Fatalf("there is no machine %s", name)
	}
	return all[i]
}

// lets returns which addresses a machine lets in to a port.
func (f *walled) lets(name, port string) string {
	f.Helper()
	m := f.machine(name)
	to, err := m.SSH()
	if err != nil {
		f.Fatal(err)
	}
	h := remote.DialHost(remote.Machine{Address: m.Address.String(), Port: 22, User: to.User, Key: to.Key, HostKeys: []string{to.HostKey}})
	defer h.Close()
	res, err := h.Run(f.Context(), remote.Command{Script: "ufw status | grep -w " + port + " | sed 's/.*ALLOW *//; s/ .*//' | sort"})
	if err != nil {
		f.Fatal(err)
	}
	return strings.Join(strings.Fields(string(res.Stdout)), " ")
}

// open checks that machines let one another in, and nobody else.
func (f *walled) open(names ...string) {
	f.Helper()
	for _, name := range names {
		var others []string
		for _, o := range names {
			if o != name {
				others = append(others, f.machine(o).Address.String())
			}
		}
		slices.Sort(others)
		for _, port := range []string{"2377/tcp", "7946", "4789/udp"} {
			if got, want := f.lets(name, port), strings.Join(others, " "); got != want {
				f.Errorf("%s lets in to %s: %q, want %q", name, port, got, want)
			}
		}
	}
}

// order checks that steps ended in an order.
func (f *walled) order(events ...string) {
	f.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	from := 0
	for _, e := range events {
		i := strings.Index(f.said.String()[from:], e)
		if i < 0 {
			f.Errorf("%q did not come after those before it in %q", e, events)
			return
		}
		from += i
	}
}

// carry applies, however long making machines takes.
func (f *walled) carry(change ...func(*Options)) {
	f.Helper()
	f.mu.Lock()
	f.said.Reset()
	f.mu.Unlock()
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	f.wentWell(f.Plan(change...).Apply(ctx, ApplyOptions{Why: f.why, Sink: f.sink}))
	f.Logf("applied in %s", time.Since(began).Round(time.Second))
}

// Machines behind firewalls become a swarm: each is open to the others when they
// join, and closed to those that have left. What nobody says is nobody's: no rule
// of the swarm is in the script.
func TestFirewalls(t *testing.T) {
	f := newWalled(t)
	f.members("a b c")
	f.carry()
	f.PlanIsEmpty()
	f.open("a", "b", "c")

	// One goes and another comes: both are let in meanwhile.
	f.members("a b d")
	p := f.Plan()
	narrowed := 0
	for _, n := range p.Plan.Graph.Nodes {
		if n.Phase == plan.Widen {
			narrowed++
		}
	}
	if narrowed != 2 {
		t.Errorf("%d firewalls are widened first, want 2", narrowed)
	}
	f.carry()
	f.PlanIsEmpty()
	f.open("a", "b", "d")
	f.order("started firewall.a", "finished node.d create", "finished node.c delete", "finished firewall.a update")

	// Two are made anew, with other addresses, one after another.
	f.members("a b:debian-13 d:debian-13")
	before := fmt.Sprint(f.machine("b").Address, f.machine("d").Address)
	f.carry()
	f.PlanIsEmpty()
	f.open("a", "b", "d")
	t.Logf("addresses %s are now %s", before, fmt.Sprint(f.machine("b").Address, f.machine("d").Address))

	// One is taken away, and the rest is closed to it when it has left.
	f.members("a")
	f.carry()
	f.PlanIsEmpty()
	f.open("a")
	f.order("finished node.b delete", "finished firewall.a update")

	f.carry(func(o *Options) { o.Destroy, o.AllowDataLoss = true, true })
	f.order("finished vm.a delete")
}
