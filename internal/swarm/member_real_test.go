package swarm_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/engine"
	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/swarm"
	"github.com/swarmscript/swarmscript/internal/testengine"
	"github.com/swarmscript/swarmscript/internal/value"
)

// member is a machine that a declaration makes a node of: the connection to its
// engine, which can be asked to dial, as one by SSH can.
type member struct {
	*engine.Conn
	e *testengine.Engine
}

// Probe implements [swarm.Prober].
func (m *member) Probe(_ context.Context, _, addr string) error {
	host, port, _ := net.SplitHostPort(addr)
	_, err := m.e.TryShell(fmt.Sprintf("timeout 2 bash -c 'exec 3<>/dev/tcp/%s/%s'", host, port))
	if err != nil && strings.Contains(err.Error(), "exit status 124") {
		return errors.New("no answer")
	}
	return err
}

// members is a swarm that begins on mgr-0, and machines that may join it.
type members struct {
	*world
	home *member
	at   map[string]*member
}

// newMembers starts an engine of 28.5.2 with a swarm, and others without: those
// whose names end with "-old" of 20.10.
func newMembers(t *testing.T, names ...string) *members {
	t.Helper()
	t.Parallel()
	f := &members{world: &world{t: t, project: "shop/test"}, at: map[string]*member{}}
	for _, name := range append([]string{"mgr-0"}, names...) {
		v := testengine.Docker28
		if strings.HasSuffix(name, "-old") {
			v = testengine.Debian20
		}
		f.start(name, v)
	}
	f.home = f.at["mgr-0"]
	f.e, f.eng = f.home.e, f.home.Conn
	f.e.Docker("swarm", "init", "--advertise-addr", f.e.Addr)
	f.reach("mgr-0")
	return f
}

func (f *members) start(name string, v testengine.Version) *member {
	f.t.Helper()
	e := testengine.Start(f.t, v, testengine.Hostname(name))
	m := &member{f.connect(e.Host), e}
	f.at[name] = m
	return m
}

func (f *members) connect(host string) *engine.Conn {
	f.t.Helper()
	conn, err := engine.Connect(remote.Endpoint{Host: host, ConfigDir: f.t.TempDir()})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { conn.Close() })
	return conn
}

// reach opens the swarm through a manager.
func (f *members) reach(name string) {
	f.t.Helper()
	m := f.at[name]
	f.e, f.eng = m.e, m.Conn
	c, err := swarm.SwarmKind.Handler.(resource.Opener).Open(f.t.Context(), m, f.find(swarm.SwarmKind, ""))
	if err != nil {
		f.t.Fatal(err)
	}
	f.sw = c
}

// declared is the request of a node's declaration.
func (f *members) declared(name string, a args) *resource.Request {
	f.t.Helper()
	r := f.request(swarm.NodeKind, name, f.check(swarm.NodeKind, a.With(args{"name": name})))
	r.Mark.On = "docker." + name
	if m := f.at[name]; m != nil {
		r.On = m
	}
	return r
}

// joins lets an engine join, as an apply does; a second look finds nothing to do.
func (f *members) joins(name string, a args) *resource.Object {
	f.t.Helper()
	r := f.declared(name, a)
	o, err := swarm.NodeKind.Handler.Create(f.t.Context(), f.sw, r)
	if err != nil {
		f.t.Fatalf("%s does not join: %v", name, err)
	}
	if err := f.settle(r, o); err != nil {
		f.t.Fatalf("%s has not joined: %v", name, err)
	}
	f.asDeclared(name, a)
	return o
}

func (f *members) settle(r *resource.Request, o *resource.Object) error {
	ctx, cancel := context.WithTimeout(f.t.Context(), time.Minute)
	defer cancel()
	return swarm.NodeKind.Handler.(resource.Settler).Settle(ctx, f.sw, r, o)
}

func (f *members) asDeclared(name string, a args) {
	f.t.Helper()
	o := f.node(f.id(name))
	if o == nil {
		f.t.Fatalf("%s is no node", name)
	}
	for _, c := range swarm.NodeKind.Schema.Diff(f.declared(name, a).Args, o.Args, o.Mark.Owned()) {
		f.t.Errorf("%s differs in %s", name, c.Path)
	}
	if want := f.declared(name, a).Mark; !o.Mark.Equal(want) {
		f.t.Errorf("%s has the mark %+v, want %+v", name, o.Mark, want)
	}
}

// id is the node that an engine takes itself for.
func (f *members) id(name string) string {
	f.t.Helper()
	return f.at[name].e.Docker("info", "--format", "{{.Swarm.NodeID}}")
}

func (f *members) state(name string) string {
	f.t.Helper()
	return f.at[name].e.Docker("info", "--format", "{{.Swarm.LocalNodeState}}")
}

func (f *members) node(id string) *resource.Object {
	f.t.Helper()
	for _, o := range f.observe(f.sw).Objects {
		if o.Kind == "node" && o.ID == id {
			return o
		}
	}
	return nil
}

// removal is the request of a node's deletion.
func (f *members) removal(o *resource.Object) *resource.Request {
	f.t.Helper()
	if o == nil {
		f.t.Fatal("there is no such node")
	}
	r := &resource.Request{Address: o.Mark.Address, Live: o, Progress: func(resource.Progress) {}}
	if m := f.at[strings.TrimPrefix(o.Mark.On, "docker.")]; m != nil {
		r.On = m
	}
	return r
}

func (f *members) leaves(r *resource.Request) {
	f.t.Helper()
	for range 2 { // gone already is no error
		if err := swarm.NodeKind.Handler.Delete(f.t.Context(), f.sw, r); err != nil {
			f.t.Fatalf("%s does not leave: %v", r.Address, err)
		}
	}
	if f.node(r.Live.ID) != nil {
		f.t.Errorf("%s is still there", r.Address)
	}
}

func (f *members) eventually(what string, is func() bool) {
	f.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !is(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			f.t.Fatalf("never: %s", what)
		}
	}
}

// Machines of both releases join one swarm, are changed by hand, and made what is
// declared again.
func TestRealJoin(t *testing.T) {
	f := newMembers(t, "mgr-1-old", "wrk-0", "wrk-1-old")
	first := args{"role": "worker", "availability": "pause", "labels": map[string]string{"tier": "web"},
		"advertise_addr": f.at["wrk-0"].e.Addr, "listen_addr": f.at["wrk-0"].e.Addr + ":2377", "data_path_addr": "eth0"}
	f.joins("wrk-0", first)
	if o := f.node(f.id("wrk-0")); o.Out["addr"] != f.at["wrk-0"].e.Addr || o.Mark.On != "docker.wrk-0" {
		t.Errorf("the node is %+v", o)
	}
	f.joins("wrk-1-old", args{})
	manager := args{"role": "manager", "advertise_addr": f.at["mgr-1-old"].e.Addr + ":2388", "listen_addr": "0.0.0.0:2388"}
	f.joins("mgr-1-old", manager)
	if got := f.e.Docker("node", "inspect", f.id("mgr-1-old"), "--format", "{{.ManagerStatus.Reachability}} {{.ManagerStatus.Addr}}"); got != "reachable "+f.at["mgr-1-old"].e.Addr+":2388" {
		t.Errorf("the new manager is %s", got)
	}
	// The machine on which the swarm began is declared, too.
	f.joins("mgr-0", args{"role": "manager", "labels": map[string]string{"n": "0"}})

	// Cut short after it had joined: it only gets its mark.
	f.e.Docker("node", "update", "--label-rm=swarmscript.project", "--label-rm=swarmscript.address", "--label-rm=swarmscript.on", "--label-rm=tier", f.id("wrk-0"))
	before := f.id("wrk-0")
	f.joins("wrk-0", first)
	if f.id("wrk-0") != before {
		t.Error("it has joined anew")
	}

	// Changed by hand.
	change := func(name string, a args, paths ...string) {
		t.Helper()
		o := f.node(f.id(name))
		var got []string
		r := f.declared(name, a)
		for _, c := range swarm.NodeKind.Schema.Diff(r.Args, o.Args, o.Mark.Owned()) {
			got = append(got, c.Path)
		}
		if fmt.Sprint(got) != fmt.Sprint(paths) {
			t.Errorf("%s differs in %q, want %q", name, got, paths)
		}
		r.Live = o
		o, err := swarm.NodeKind.Handler.Update(t.Context(), f.sw, r)
		for errors.Is(err, resource.ErrTransient) { // a promotion that is not through yet
			time.Sleep(200 * time.Millisecond)
			o, err = swarm.NodeKind.Handler.Update(t.Context(), f.sw, r)
		}
		if err == nil {
			err = f.settle(r, o)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		f.asDeclared(name, a)
	}
	f.e.Docker("node", "update", "--availability=active", "--label-add=tier=db", f.id("wrk-0"))
	change("wrk-0", first, "availability", `labels["tier"]`)
	f.e.Docker("node", "demote", f.id("mgr-1-old"))
	change("mgr-1-old", manager, "role")
	f.e.Docker("node", "promote", f.id("wrk-1-old"))
	change("wrk-1-old", args{"role": "worker"}, "role")

	// Somebody let it leave: it joins again, and the node that it was goes.
	f.eventually("it has left by hand", func() bool { // not before it has seen that it is a worker again
		_, err := f.at["wrk-1-old"].e.TryDocker("swarm", "leave")
		return err == nil
	})
	old := f.find(swarm.NodeKind, "wrk-1-old")
	f.joins("wrk-1-old", args{})
	f.leaves(f.removal(old))
	if f.node(f.id("wrk-1-old")) == nil || f.state("wrk-1-old") != "active" {
		t.Error("the new node went with the old one")
	}
}

// What an engine cannot join from is told, and left as it is.
func TestRealJoinRefused(t *testing.T) {
	f := newMembers(t, "wrk-0", "wrk-1-old")
	refused := func(name string, a args, parts ...string) {
		t.Helper()
		_, err := swarm.NodeKind.Handler.Create(t.Context(), f.sw, f.declared(name, a))
		var d *diag.Diagnostic
		if errors.As(err, &d) {
			err = errors.New(d.Summary + "\n" + d.Detail + "\n" + d.Hint)
		}
		contains(t, err, parts...)
	}
	for _, name := range []string{"wrk-0", "wrk-1-old"} {
		f.at[name].e.Docker("swarm", "init", "--advertise-addr", f.at[name].e.Addr, "--autolock")
		refused(name, args{}, "its engine is in another swarm already", "docker swarm leave")
		f.at[name].e.Restart()
		f.eventually(name+" is locked", func() bool { return f.state(name) == "locked" })
		refused(name, args{}, "node."+name+" cannot join: the swarm of its engine is locked", "docker swarm unlock")
		f.at[name].e.Docker("swarm", "leave", "--force")

		f.joins(name, args{})
		f.e.Docker("node", "rm", "--force", f.id(name))
		refused(name, args{}, "its node was removed from the swarm, and the engine still takes itself for it", "docker swarm leave --force")
		f.at[name].e.Docker("swarm", "leave", "--force")
	}
	refused("nowhere", args{}, "unreachable: the engine of node.nowhere does not answer")

	// Another project's, joined meanwhile.
	f.joins("wrk-0", args{})
	f.e.Docker("node", "update", "--label-add=swarmscript.project=other", f.id("wrk-0"))
	refused("wrk-0", args{}, "belongs to project other")
}

// The token is rotated after it was asked for: it is asked for again.
func TestRealJoinTokenRotated(t *testing.T) {
	f := newMembers(t, "wrk-0")
	p := testengine.Proxy(t, f.at["wrk-0"].e)
	f.at["wrk-0"].Conn = f.connect(p.Host)
	tries := 0
	p.Fault(func(c testengine.Call) testengine.Fault {
		if strings.HasSuffix(c.Path, "/swarm/join") {
			if tries++; tries == 1 {
				f.e.Docker("swarm", "join-token", "--rotate", "worker")
			}
		}
		return testengine.Pass
	})
	f.joins("wrk-0", args{})
	if tries != 2 {
		t.Errorf("it has joined at the try %d", tries)
	}
	if text := value.Text(f.node(f.id("wrk-0")).Args); strings.Contains(text, "SWMTKN") {
		t.Errorf("the token is kept: %s", text)
	}
}

// The engine has joined and nobody hears of it; it has left and nobody hears of
// it. Both are found out.
func TestRealMemberAnswerLost(t *testing.T) {
	f := newMembers(t, "wrk-0-old")
	p := testengine.Proxy(t, f.at["wrk-0-old"].e)
	f.at["wrk-0-old"].Conn = f.connect(p.Host)
	lost := map[string]bool{}
	p.Fault(func(c testengine.Call) testengine.Fault {
		if (strings.HasSuffix(c.Path, "/swarm/join") || strings.HasSuffix(c.Path, "/swarm/leave")) && !lost[c.Path] {
			lost[c.Path] = true
			return testengine.LoseBack
		}
		return testengine.Pass
	})
	f.joins("wrk-0-old", args{})
	r := f.removal(f.node(f.id("wrk-0-old")))
	err := swarm.NodeKind.Handler.Delete(t.Context(), f.sw, r)
	if !errors.Is(err, resource.ErrTransient) {
		t.Errorf("the answer to its leaving was lost: %v", err)
	}
	f.leaves(r)
	if len(lost) != 2 || f.state("wrk-0-old") != "inactive" {
		t.Errorf("lost were %v, the engine is %s", lost, f.state("wrk-0-old"))
	}
}

// A machine that hangs has been promoted, and is demoted before it is a manager:
// that is waited for, however often it has to be asked.
func TestRealDemotedTooSoon(t *testing.T) {
	f := newMembers(t, "wrk-0")
	f.joins("wrk-0", args{"role": "worker"})
	m, id := f.at["wrk-0"].e, f.id("wrk-0")
	m.Pause()
	f.e.Docker("node", "promote", id)
	r := f.declared("wrk-0", args{"role": "worker"})
	r.Live = f.node(id)
	waited := 0
	r.Progress = func(p resource.Progress) {
		if strings.Contains(p.Text, "not among the managers yet") {
			if waited++; waited == 10 {
				m.Continue()
			}
		}
	}
	if _, err := swarm.NodeKind.Handler.Update(t.Context(), f.sw, r); err != nil || waited < 10 {
		t.Errorf("after %d waits: %v", waited, err)
	}
	f.asDeclared("wrk-0", args{"role": "worker"})
}
