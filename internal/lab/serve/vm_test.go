package serve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/lab"
	"github.com/swarmscript/swarmscript/internal/lab/api"
	"github.com/swarmscript/swarmscript/internal/local"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// A project is what a script declares in a lab, without the script.
type project struct {
	*testing.T
	lab  *lab.Lab
	name string
	conn *lab.Conn
}

func newProject(t *testing.T, l *lab.Lab, name string) *project {
	t.Helper()
	conn, err := lab.Connect(l.Dir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &project{T: t, lab: l, name: name, conn: conn}
}

// args is what one vm() says.
type args map[string]value.Value

const scopeAddress = "lab.default"

func (p *project) ok(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

// program declares hosts, by the names of their declarations.
func (p *project) program(vms map[string]args) *resource.Program {
	p.Helper()
	schema := lab.VMKind.Schema
	prog := &resource.Program{Project: p.name, Scopes: []*resource.Scope{{Address: scopeAddress, Type: "lab"}}}
	for name, given := range vms {
		list := make(value.Struct, len(schema.Fields()))
		for k, v := range given {
			f, ok := schema.Field(k)
			if !ok {
				p.Fatalf("there is no argument %s", k)
			}
			list[f.Index] = v
		}
		if given["name"] == nil {
			list[schema.NameField().Index] = name
		}
		checked, problems := schema.CheckAll(list)
		if problems = append(problems, lab.VMKind.Check(checked)...); problems != nil {
			p.Fatal(problems)
		}
		prog.Declarations = append(prog.Declarations, &resource.Declaration{
			Address: value.NewAddress("", "vm", name), Kind: lab.VMKind, Scope: scopeAddress, Args: checked, NameGiven: given["name"] != nil,
		})
	}
	return prog
}

func (p *project) build(vms map[string]args) (*plan.Plan, map[string]*plan.ScopeState) {
	p.Helper()
	prog := p.program(vms)
	obs, err := p.conn.Observe(p.Context(), prog.Query(scopeAddress))
	p.ok(err)
	states := map[string]*plan.ScopeState{scopeAddress: {Scope: prog.Scopes[0], Status: plan.Present, Obs: obs}}
	made, problems := plan.Build(plan.Input{Program: prog, Scopes: states, Kinds: func(scope, name string) *resource.Kind {
		if scope == "lab" && name == "vm" {
			return lab.VMKind
		}
		return nil
	}})
	p.ok(problems.Err())
	return made, states
}

// wants fails the test where the plan is another one: a line a host, the action,
// its name and the fields that differ.
func (p *project) wants(vms map[string]args, want ...string) {
	p.Helper()
	made, _ := p.build(vms)
	var got []string
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
		got = append(got, line)
	}
	if !slices.Equal(got, want) {
		p.Errorf("the plan is %q, want %q", got, want)
	}
}

// apply carries out the plan, which is then empty.
func (p *project) apply(vms map[string]args) {
	p.Helper()
	made, states := p.build(vms)
	scopes := map[string]*apply.Scope{scopeAddress: {Conn: p.conn, State: states[scopeAddress]}}
	for _, s := range apply.Run(p.Context(), apply.Input{Plan: made, Program: made.Program, Scopes: scopes}).Steps {
		if s.Outcome != apply.OK {
			p.Fatalf("%s: %v", s.Change.Address, s.Err)
		}
	}
	p.wants(vms)
}

func (p *project) host(name string) *api.Host {
	p.Helper()
	h, err := p.lab.Pick(p.Context(), p.name+"/"+name)
	p.ok(err)
	return h
}

// sh runs a script on a host as its user, and returns what it says.
func (p *project) sh(h *api.Host, script string) string {
	p.Helper()
	var out, errs bytes.Buffer
	code, err := lab.Run(p.Context(), h, script, strings.NewReader(""), &out, &errs, nil)
	if err != nil || code != 0 {
		p.Fatalf("%q ended with %d, %v: %s%s", script, code, err, &out, &errs)
	}
	return strings.TrimSpace(out.String())
}

func publicKey(t *testing.T, comment string) string {
	t.Helper()
	key, err := os.ReadFile("testdata/" + comment + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(key))
}

// Every argument of a vm is carried out, read back, changed and taken away; what
// changes in place leaves the host as it is; what somebody did by hand is seen, and
// repaired.
func TestLabVM(t *testing.T) {
	l := labIn(t, "lab")
	p := newProject(t, l, "shop/test")
	me, you := publicKey(t, "me"), publicKey(t, "you")
	all := args{"image": "debian-13", "cpus": 0.75, "memory": "300m", "user": "admin", "ssh_keys": value.List{me, you}}
	vms := map[string]args{"web": all}

	p.wants(vms, "create web")
	if l.Exists() {
		t.Error("the plan made the lab")
	}
	p.apply(vms)
	h := p.host("web")
	if got := p.sh(h, ". /etc/os-release; echo $VERSION_ID; whoami; cat .ssh/authorized_keys | wc -l; hostname"); got != "13\nadmin\n3\nweb" {
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
		p.wants(vms, "update web"+step.fields)
		p.apply(vms)
		if got := p.sh(h, step.proof); got != step.says {
			t.Errorf("%s: %q, want %q", step.fields, got, step.says)
		}
	}
	if again := p.host("web"); again.ID != h.ID || again.Boots != 1 {
		t.Error("it is another host, or was booted")
	}

	// Off, with its disk kept, and changed while it is.
	p.sh(h, "echo kept >file")
	all["running"] = false
	p.wants(vms, "update web running")
	p.apply(vms)
	if got := p.host("web").State; got != api.Off {
		t.Errorf("it is %s", got)
	}
	all["ssh_keys"], all["memory"] = value.List{me}, "512m"
	p.apply(vms)
	delete(all, "running")
	p.wants(vms, "update web running")
	p.apply(vms)
	if got := p.sh(p.host("web"), "cat file; cut -d' ' -f3 ~/.ssh/authorized_keys; stat -c %U:%a ~/.ssh/authorized_keys; grep MemTotal /proc/meminfo"); got != "kept\nswarmscript@web\nme\nadmin:600\nMemTotal:         524288 kB" {
		t.Errorf("after it was off: %q", got)
	}

	p.drift(vms)

	// Anew.
	for _, change := range []args{{"image": "debian-12"}, {"user": "root"}, {"name": "other"}} {
		was, field := p.host(live(all)), ""
		for k, v := range change {
			all[k], field = v, k
		}
		p.wants(vms, "replace web "+field)
		p.apply(vms)
		if now := p.host(live(all)); now.ID == was.ID {
			t.Errorf("%s: it is the same host", field)
		}
	}
	if got := p.sh(p.host("other"), ". /etc/os-release; echo $VERSION_ID; whoami; hostname"); got != "12\nroot\nother" {
		t.Errorf("by ssh: %q", got)
	}

	// Another project calls its hosts as it likes.
	q := newProject(t, l, "blog/test")
	off := map[string]args{"other": {"running": false}}
	q.apply(off)
	p.wants(vms)
	if a, b := p.host("other"), q.host("other"); a.ID == b.ID || a.Address == b.Address {
		t.Errorf("they share a host: %+v, %+v", a, b)
	}
	if _, err := l.Pick(t.Context(), "other"); err == nil || !strings.Contains(err.Error(), `several projects have a host "other"`) {
		t.Errorf("got %v", err)
	}
	q.apply(nil)

	p.wants(nil, "delete web (no longer declared)")
	p.apply(nil)
	if all, err := l.Hosts(t.Context()); err != nil || len(all) > 0 {
		t.Errorf("there are %v, %v", all, err)
	}
}

// live is what the host of the declaration "web" is called.
func live(a args) string {
	if name, ok := a["name"].(string); ok {
		return name
	}
	return "web"
}

// drift changes a host by hand.
func (p *project) drift(vms map[string]args) {
	p.Helper()
	do := func(v lab.Verb) func() error {
		return func() error { _, err := p.lab.Do(p.Context(), p.host("web").ID, v); return err }
	}
	sh := func(script string) func() error {
		return func() error { p.sh(p.host("web"), script); return nil }
	}
	for _, hand := range []struct {
		name string
		do   func() error
		want string
	}{
		{"a power cut", do(lab.Kill), "update web running"},
		{"shut down", do(lab.Stop), "update web running"},
		{"a pause", do(lab.Pause), "update web (paused)"},
		{"a key taken away", sh("sed -i /me$/d ~/.ssh/authorized_keys"), "update web ssh_keys"},
		{"another limit", func() error {
			h := p.host("web")
			_, err := p.lab.Change(p.Context(), h.ID, api.Change{SSHKeys: h.SSHKeys, Labels: h.Labels, Memory: 1 << 30, NanoCPUs: h.NanoCPUs})
			return err
		}, "update web memory"},
		{"destroyed", func() error { return p.lab.Destroy(p.Context(), p.host("web").ID) }, "create web"},
	} {
		p.Log(hand.name)
		p.ok(hand.do())
		p.wants(vms, hand.want)
		p.apply(vms)
		if got := p.host("web").State; got != api.Running {
			p.Errorf("it is %s", got)
		}
	}
	// A key that somebody added is theirs.
	h := p.host("web")
	p.sh(h, "echo '"+publicKey(p.T, "you")+"' >>~/.ssh/authorized_keys")
	p.wants(vms)
	if got := p.sh(h, "cut -d' ' -f3 ~/.ssh/authorized_keys"); got != "swarmscript@web\nme\nyou" {
		p.Errorf("the keys are %q", got)
	}
}

// What is wrong with a vm's arguments is what is wrong with those of a real one.
func TestLabVMChecks(t *testing.T) {
	schema := lab.VMKind.Schema
	given := make(value.Struct, len(schema.Fields()))
	bad := args{"name": "Web", "user": "0", "cpus": 0.001, "memory": "1m"}
	for name, v := range bad {
		f, _ := schema.Field(name)
		given[f.Index] = v
	}
	checked, problems := schema.CheckAll(given)
	problems = append(problems, lab.VMKind.Check(checked)...)
	if len(problems) != 4 || !slices.Equal(schema.FieldNames(), local.VMKind.Schema.FieldNames()) {
		t.Errorf("got %v", problems)
	}
	var names, others []string
	for _, o := range lab.VMKind.Out {
		names = append(names, o.Name)
	}
	for _, o := range local.VMKind.Out {
		others = append(others, o.Name)
	}
	if !slices.Equal(names, others) {
		t.Errorf("its outputs are %v, those of a real one %v", names, others)
	}
}

// A host that does not let anybody in, or that is off, is told so.
func TestLogin(t *testing.T) {
	l := labIn(t, "lab")
	h := up(t, l, "web")
	run := func() error {
		_, err := lab.Run(t.Context(), h, "true", strings.NewReader(""), io.Discard, io.Discard, nil)
		return err
	}
	if err := run(); err != nil {
		t.Fatal(err)
	}
	if code, err := lab.Run(t.Context(), h, "exit 7", strings.NewReader(""), io.Discard, io.Discard, nil); code != 7 || err != nil {
		t.Errorf("got %d, %v", code, err)
	}
	if _, err := l.Do(t.Context(), h.ID, lab.Kill); err != nil {
		t.Fatal(err)
	}
	if err := run(); err == nil || !strings.Contains(err.Error(), "host web does not answer") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := l.Do(t.Context(), h.ID, lab.Start); err != nil {
		t.Fatal(err)
	}
	h = must[*api.Host](t)(l.Host(t.Context(), h.ID))
	ended := make(chan error)
	go func() {
		_, err := lab.Run(ctx, h, "echo up; sleep 1000", strings.NewReader(""), cancelOn{cancel}, io.Discard, nil)
		ended <- err
	}()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// cancelOn cancels when something is written.
type cancelOn struct{ cancel context.CancelFunc }

func (c cancelOn) Write(b []byte) (int, error) {
	c.cancel()
	return len(b), nil
}
