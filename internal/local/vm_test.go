package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/sshkey"
	"github.com/swarmscript/swarmscript/internal/value"
)

// A project is what a script declares on a yard, without the script.
type project struct {
	*yard
	name string
	conn *Conn
	last *apply.Result
	sink func(apply.Event)
}

func newProject(y *yard, name string) *project {
	return &project{yard: y, name: name, conn: &Conn{site: y.Site}}
}

// args is what one vm() says.
type args map[string]value.Value

const scopeAddress = "local.default"

// program declares machines, by the names of their declarations.
func (p *project) program(vms map[string]args) *resource.Program {
	p.t.Helper()
	prog := &resource.Program{Project: p.name, Scopes: []*resource.Scope{{Address: scopeAddress, Type: "local"}}}
	for name, given := range vms {
		list := make(value.Struct, len(vmSchema.Fields()))
		for k, v := range given {
			f, ok := vmSchema.Field(k)
			if !ok {
				p.t.Fatalf("there is no argument %s", k)
			}
			list[f.Index] = v
		}
		if given["name"] == nil {
			list[vmSchema.NameField().Index] = name
		}
		checked, problems := vmSchema.CheckAll(list)
		if problems = append(problems, CheckVM(vmSchema, checked)...); problems != nil {
			p.t.Fatal(problems)
		}
		prog.Declarations = append(prog.Declarations, &resource.Declaration{
			Address: value.NewAddress("", "vm", name), Kind: VMKind, Scope: scopeAddress, Args: checked, NameGiven: given["name"] != nil,
		})
	}
	return prog
}

func (p *project) observe(prog *resource.Program) map[string]*plan.ScopeState {
	p.t.Helper()
	obs, err := p.conn.Observe(p.ctx, prog.Query(scopeAddress))
	p.must(err)
	return map[string]*plan.ScopeState{scopeAddress: {Scope: prog.Scopes[0], Status: plan.Present, Obs: obs}}
}

// plan says what an apply would do, a line a machine: the action, its name and the
// fields that differ.
func (p *project) plan(vms map[string]args) []string {
	p.t.Helper()
	made, _ := p.build(vms)
	var out []string
	for _, c := range made.Changes {
		if c.Action == plan.NoOp && c.Unsettled == "" {
			continue
		}
		line := fmt.Sprint(c.Action, " ", c.Address.Name())
		for _, f := range c.Fields {
			line += " " + f.Path
		}
		if c.Reason != "" {
			line += " (" + c.Reason + ")"
		}
		out = append(out, line)
	}
	return out
}

func (p *project) build(vms map[string]args) (*plan.Plan, map[string]*plan.ScopeState) {
	p.t.Helper()
	prog := p.program(vms)
	states := p.observe(prog)
	made, problems := plan.Build(plan.Input{Program: prog, Scopes: states, Kinds: func(scope, name string) *resource.Kind {
		if scope == "local" && name == "vm" {
			return VMKind
		}
		return nil
	}})
	p.must(problems.Err())
	return made, states
}

// wants fails the test where the plan is another one.
func (p *project) wants(vms map[string]args, want ...string) {
	p.t.Helper()
	if got := p.plan(vms); !slices.Equal(got, want) {
		p.t.Errorf("the plan is %q, want %q", got, want)
	}
}

// apply carries out the plan, which is then empty.
func (p *project) apply(vms map[string]args) {
	p.t.Helper()
	made, states := p.build(vms)
	scopes := map[string]*apply.Scope{scopeAddress: {Conn: p.conn, State: states[scopeAddress]}}
	p.last = apply.Run(p.ctx, apply.Input{Plan: made, Program: made.Program, Scopes: scopes, Sink: p.sink})
	for _, s := range p.last.Steps {
		if s.Outcome != apply.OK {
			p.t.Fatalf("%s: %v", s.Change.Address, s.Err)
		}
	}
	p.wants(vms)
}

func (p *project) machine(name string) *Machine {
	p.t.Helper()
	m, err := p.Find(p.name, name)
	p.must(err)
	return m
}

func publicKey(t *testing.T, comment string) string {
	t.Helper()
	_, key, err := sshkey.New(comment)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(key))
}

// Every argument of a vm is carried out, read back, changed and taken away; what
// changes in place leaves the machine as it is.
func TestVM(t *testing.T) {
	y := newYard(t)
	p := newProject(y, "shop/test")
	me, you := publicKey(t, "me"), publicKey(t, "you")
	all := args{"image": "debian-13", "cpus": 0.75, "memory": "300m", "user": "admin", "ssh_keys": value.List{me, you}}

	before := p.left()
	p.wants(map[string]args{"web": all}, "create web")
	if after := p.left(); !slices.Equal(before, after) {
		t.Errorf("the plan wrote something: %v", after)
	}
	p.apply(map[string]args{"web": all})
	m := p.machine("web")
	if got, err := m.limits(); err != nil || got != (Limits{750_000_000, 300 << 20}) {
		t.Errorf("the limits are %+v, %v", got, err)
	}
	if got := login(t, m, m.HostKey, ". /etc/os-release; echo $VERSION_ID; whoami; cat .ssh/authorized_keys | wc -l"); got != "13\nadmin\n3" {
		t.Errorf("by ssh: %q", got)
	}

	// In place.
	for _, step := range []struct {
		change args
		fields string
		proof  string // a command, and what it says
		says   string
	}{
		{args{"cpus": 1.5, "memory": "1g"}, " cpus memory", "echo", ""},
		{args{"cpus": nil, "memory": nil}, " cpus memory", "echo", ""},
		{args{"ssh_keys": value.List{you}}, " ssh_keys", "cut -d' ' -f3 ~/.ssh/authorized_keys", "swarmscript@web\nyou"},
		{args{"ssh_keys": nil}, " ssh_keys", "cut -d' ' -f3 ~/.ssh/authorized_keys; stat -c %U:%a ~/.ssh/authorized_keys", "swarmscript@web\nadmin:600"},
		{args{"cpus": 0.5}, " cpus", "echo", ""},
	} {
		for k, v := range step.change {
			all[k] = v
		}
		p.wants(map[string]args{"web": all}, "update web"+step.fields)
		p.apply(map[string]args{"web": all})
		if got := login(t, m, m.HostKey, step.proof); got != step.says {
			t.Errorf("%s: %q, want %q", step.fields, got, step.says)
		}
	}
	if again := p.machine("web"); again.ID != m.ID {
		t.Error("it is another machine")
	}

	// Off, with its disk kept, and changed while it is.
	login(t, m, m.HostKey, "echo kept >file; sync")
	all["running"] = false
	p.wants(map[string]args{"web": all}, "update web running")
	p.apply(map[string]args{"web": all})
	if got := m.State(); got != Off {
		t.Errorf("it is %s", got)
	}
	all["ssh_keys"], all["memory"] = value.List{me}, "512m"
	p.apply(map[string]args{"web": all})
	delete(all, "running")
	p.wants(map[string]args{"web": all}, "update web running")
	p.apply(map[string]args{"web": all})
	if got := login(t, m, m.HostKey, "cat file; cut -d' ' -f3 ~/.ssh/authorized_keys; stat -c %U:%a ~/.ssh/authorized_keys"); got != "kept\nswarmscript@web\nme\nadmin:600" {
		t.Errorf("after it was off: %q", got)
	}

	// Anew.
	for _, change := range []args{{"image": "debian-12"}, {"user": "root"}, {"name": "other"}} {
		was := p.machine(p.liveName(all))
		field := ""
		for k, v := range change {
			all[k], field = v, k
		}
		p.wants(map[string]args{"web": all}, "replace web "+field)
		p.apply(map[string]args{"web": all})
		if now := p.machine(p.liveName(all)); now.ID == was.ID {
			t.Errorf("%s: it is the same machine", field)
		}
	}
	m = p.machine("other")
	if got := login(t, m, m.HostKey, ". /etc/os-release; echo $VERSION_ID; whoami; hostname"); got != "12\nroot\nother" {
		t.Errorf("by ssh: %q", got)
	}

	p.wants(nil, "delete web (no longer declared)")
	p.apply(nil)
	y.nothingLeft()
}

// A machine is ready when its first boot is over: nobody installs packages any
// more. What is waited for is told.
func TestVMReady(t *testing.T) {
	y := newYard(t)
	p := newProject(y, "shop/test")
	p.apply(map[string]args{"web": {"running": false}})
	m := p.machine("web")
	// A cloud-init that ends when it is told to, and leaves a dpkg at work behind.
	script := `#!/bin/sh
until [ -e /run/cloud ]; do sleep 0.1; done
systemd-run -q --unit dpkg perl -MFcntl -e 'open($$f, ">", "/var/lib/dpkg/lock-frontend"); $$lock = pack("ssx4qqi", F_WRLCK, 0, 0, 0, 0); fcntl($$f, F_SETLK, $$lock) or die; sleep 1000'
until grep -q ":$(stat -c %i /var/lib/dpkg/lock-frontend) " /proc/locks; do systemctl is-active -q dpkg || exit 1; sleep 0.1; done
`
	y.must(os.MkdirAll(filepath.Join(m.file("upper"), "usr/bin"), 0o755))
	y.must(os.WriteFile(filepath.Join(m.file("upper"), "usr/bin/cloud-init"), []byte(script), 0o755))
	var said []string
	p.sink = func(e apply.Event) {
		if e.Type != apply.Progressed {
			return
		}
		said = append(said, e.Text)
		switch {
		case e.Text == "waiting for cloud-init":
			y.sh(m, "touch /run/cloud")
		case strings.HasPrefix(e.Text, "waiting for dpkg's lock, held by process "):
			y.sh(m, "systemctl stop dpkg")
		}
	}
	p.apply(map[string]args{"web": {}})
	if got := strings.Join(said, "; "); !strings.Contains(got, "waits for its SSH server; waiting for its SSH port; waiting for cloud-init; waiting for dpkg's lock, held by process ") {
		t.Errorf("it said %s", got)
	}
	// One that runs is not asked again.
	said = nil
	p.apply(map[string]args{"web": {"cpus": 1.5}})
	if said != nil {
		t.Errorf("a machine that runs was waited for: %q", said)
	}
}

// liveName is what the machine of the declaration "web" is called.
func (p *project) liveName(a args) string {
	if name, ok := a["name"].(string); ok {
		return name
	}
	return "web"
}

// What somebody did by hand is seen, and repaired.
func TestVMDrift(t *testing.T) {
	y := newYard(t)
	p := newProject(y, "shop/test")
	me := publicKey(t, "me")
	vms := map[string]args{"web": {"cpus": 0.5, "memory": "256m", "ssh_keys": value.List{me}}}
	p.apply(vms)
	m := p.machine("web")
	for _, hand := range []struct {
		name string
		do   func() error
		want string
	}{
		{"a power cut", func() error { return m.Kill(y.ctx) }, "update web running"},
		{"a pause", func() error { return m.Pause(y.ctx) }, "update web (paused)"},
		{"another limit", func() error { return limitByHand(m, "memory.limit_in_bytes", "512M", "memory.max", "512M") }, "update web memory"},
		{"no limit", func() error { return limitByHand(m, "cpu.cfs_quota_us", "-1", "cpu.max", "max") }, "update web cpus"},
		{"a key taken away", func() error { _, err := y.try(m, "sed -i /me$/d /root/.ssh/authorized_keys"); return err }, "update web ssh_keys"},
		{"all keys taken away", func() error { _, err := y.try(m, "rm -r /root/.ssh"); return err }, "update web ssh_keys"},
		{"destroyed", func() error { return m.Destroy(y.ctx) }, "create web"},
	} {
		t.Log(hand.name)
		y.must(hand.do())
		p.wants(vms, hand.want)
		p.apply(vms)
		m = p.machine("web")
		if m.State() != Running {
			t.Errorf("it is %s", m.State())
		}
	}
	// A key that somebody added is theirs.
	y.sh(m, "echo '"+publicKey(t, "stranger")+"' >>/root/.ssh/authorized_keys")
	p.wants(vms)
	vms["web"]["ssh_keys"] = nil
	p.apply(vms)
	if got := y.sh(m, "cut -d' ' -f3 /root/.ssh/authorized_keys"); got != "swarmscript@web\nstranger" {
		t.Errorf("the keys are %q", got)
	}
}

// limitByHand writes a file of the machine's cgroup, in the version that has it.
func limitByHand(m *Machine, v1, text1, v2, text2 string) error {
	for _, dir := range m.site.cgroups(m.cgroup()) {
		for file, text := range map[string]string{v1: text1, v2: text2} {
			if path := filepath.Join(dir, file); exists(path) {
				return os.WriteFile(path, []byte(text), 0o644)
			}
		}
	}
	return errors.New("no cgroup has that limit")
}

// Two projects call their machines as they like, and see the other's without
// touching them.
func TestVMOfTwoProjects(t *testing.T) {
	y := newYard(t)
	p, q := newProject(y, "shop/test"), newProject(y, "blog/test")
	off := map[string]args{"web": {"running": false}, "db": {"running": false}}
	p.apply(off)
	q.apply(off)
	p.wants(off)
	if a, b := p.machine("web"), q.machine("web"); a.ID == b.ID || a.Address == b.Address {
		t.Errorf("they share a machine: %+v, %+v", a, b)
	}
	obs, err := p.conn.Observe(y.ctx, resource.Query{Project: "shop/test"})
	y.must(err)
	var names []string
	for _, o := range obs.Objects {
		names = append(names, o.Name)
	}
	slices.Sort(names)
	if want := []string{"blog/test/db", "blog/test/web", "db", "web"}; !slices.Equal(names, want) || obs.Summary != "4 machines" {
		t.Errorf("observed %v, %q", names, obs.Summary)
	}
	q.apply(nil)
	p.wants(off)
	if len(obs.Identity) < 8 {
		t.Errorf("the scope is %q", obs.Identity)
	}
}

// A lease belongs to one holder at a time, and outlives the machines.
func TestLease(t *testing.T) {
	y := newYard(t)
	c := &Conn{site: y.Site}
	if l, _, err := c.ReadLease(y.ctx, "shop/test"); l != nil || err != nil {
		t.Errorf("a new project has a lease: %v, %v", l, err)
	}
	first, err := c.WriteLease(y.ctx, "shop/test", nil, &resource.Lease{Holder: "me", Expires: time.Now().Add(time.Minute).UTC()})
	y.must(err)
	_, err = c.WriteLease(y.ctx, "shop/test", nil, &resource.Lease{Holder: "you"})
	if !errors.Is(err, resource.ErrConflict) {
		t.Errorf("another one took it: %v", err)
	}
	other, err := c.WriteLease(y.ctx, "blog/test", nil, &resource.Lease{Holder: "you"})
	y.must(err)
	second, err := c.WriteLease(y.ctx, "shop/test", first, &resource.Lease{Holder: "me", Why: "again"})
	y.must(err)
	y.must(y.Collect(y.ctx))
	got, _, err := c.ReadLease(y.ctx, "shop/test")
	y.must(err)
	if got == nil || got.Why != "again" || got.Version != second.Version {
		t.Errorf("got %+v", got)
	}
	if _, err := c.WriteLease(y.ctx, "shop/test", first, nil); !errors.Is(err, resource.ErrConflict) {
		t.Errorf("an old one was released: %v", err)
	}
	for project, held := range map[string]*resource.Lease{"shop/test": got, "blog/test": other} {
		if _, err := c.WriteLease(y.ctx, project, held, nil); err != nil {
			t.Error(err)
		}
		if l, _, err := c.ReadLease(y.ctx, project); l != nil || err != nil {
			t.Errorf("%s: after its release: %v, %v", project, l, err)
		}
	}
	ctx, cancel := context.WithCancel(y.ctx)
	cancel()
	if _, err := c.WriteLease(ctx, "shop/test", nil, &resource.Lease{}); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	} else if err == nil {
		l, _, _ := c.ReadLease(y.ctx, "shop/test")
		_, err := c.WriteLease(y.ctx, "shop/test", l, nil)
		y.must(err)
	}
}

// How a machine is reached is known as soon as it is made.
func TestSSH(t *testing.T) {
	y := newYard(t)
	m, err := y.Create(y.ctx, Spec{Project: "shop", Name: "m", Image: "debian-12", User: "admin"}, func(string) {})
	y.must(err)
	s, err := m.SSH()
	y.must(err)
	if s.Address != m.Address.String()+":22" || s.User != "admin" || !strings.HasPrefix(s.HostKey, "ssh-ed25519 ") || !strings.Contains(string(s.Key), "OPENSSH PRIVATE KEY") {
		t.Errorf("got %+v", s)
	}
}

// What is wrong with a vm's arguments is said at the script's line, all at once.
func TestCheckVM(t *testing.T) {
	given := make(value.Struct, len(vmSchema.Fields()))
	bad := args{"name": "Web", "user": "0", "cpus": 0.001, "memory": "1m", "image": "debian-11", "ssh_keys": value.List{"x"}}
	for name, v := range bad {
		f, _ := vmSchema.Field(name)
		given[f.Index] = v
	}
	checked, problems := vmSchema.CheckAll(given)
	problems = append(problems, CheckVM(vmSchema, checked)...)
	var got []string
	for _, p := range problems {
		got = append(got, p.Error())
	}
	want := []string{
		`image: got "debian-11", want one of debian-12, debian-13 (did you mean "debian-12"?)`,
		"ssh_keys[0]: want the one line of a public key, such as the text of ~/.ssh/id_ed25519.pub",
		`name: got "Web", want small letters, digits and hyphens, 63 at most, as a host name has`,
		`user: got "0", want small letters, digits, hyphens and underscores, 32 at most, and a letter first`,
		"cpus: a machine needs 0.01 at least",
		"memory: a machine needs 64m at least",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	later := make(value.Struct, len(vmSchema.Fields()))
	later[vmSchema.NameField().Index] = value.Ref{Address: "vm.a", Output: "hostname"}
	if problems := CheckVM(vmSchema, later); problems != nil {
		t.Errorf("what is not known yet: %v", problems)
	}
}

// A machine whose making or destroying was interrupted is made anew where it is
// declared, and deleted where it is not.
func TestVMBroken(t *testing.T) {
	y := newYard(t)
	p := newProject(y, "shop/test")
	off := map[string]args{"web": {"running": false}, "db": {"running": false}}
	p.apply(off)
	interrupt := func(names ...string) {
		for _, name := range names {
			m := p.machine(name)
			m.Ready = false
			y.must(errors.Join(m.save(), os.RemoveAll(m.file("upper"))))
		}
	}
	interrupt("web", "db")
	if err := p.machine("web").Start(y.ctx, func(string) {}); err == nil || !strings.Contains(err.Error(), "machine shop/test/web is broken") {
		t.Errorf("it was started: %v", err)
	}
	delete(off, "db")
	p.wants(off, "replace web image", "delete db (no longer declared)")
	p.apply(off)
	interrupt("web")
	p.wants(nil, "delete web (no longer declared)")
	p.apply(nil)
	y.nothingLeft()
}
