package host_test

import (
	"crypto/rand"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/host"
	"github.com/swarmscript/swarmscript/internal/local"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/resource/resourcetest"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/testhost"
	"github.com/swarmscript/swarmscript/internal/testhost/aptrepo"
	"github.com/swarmscript/swarmscript/internal/value"
)

func TestMain(m *testing.M) {
	flag.Set("test.parallel", "4") // unless -parallel says otherwise: these tests wait more than they work
	os.Exit(m.Run())
}

// world is a real machine and what a test does with it: it plans and applies
// declarations as a run does, one after another.
type world struct {
	t       *testing.T
	h       *testhost.Host
	m       machine
	port    int // of its sshd, 0 for the usual one
	c       *host.Conn
	project string
	moved   [][2]value.Address
}

// start starts a machine whose apt knows no more packages than tests install.
func start(t *testing.T, image string, opts ...testhost.Option) *world {
	t.Helper()
	w := startBare(t, image, opts...)
	if !*onLab {
		aptrepo.Debian(t, w.h)
	}
	return w
}

// startBare starts a machine that has Debian's own lists to fetch.
func startBare(t *testing.T, image string, opts ...testhost.Option) *world {
	t.Helper()
	if *onLab {
		return startLab(t, image, opts...)
	}
	h := testhost.Start(t, image, opts...)
	w := &world{t: t, h: h, m: h, project: "shop/test"}
	w.c = w.connect()
	return w
}

// specOf is what the options of a machine ask for.
func specOf(opts []testhost.Option) local.Spec {
	spec := local.Spec{Name: "h" + strings.ToLower(rand.Text()[:6]), User: "root"}
	for _, opt := range opts {
		opt(&spec)
	}
	return spec
}

// connect makes a connection of its own to the machine.
func (w *world) connect() *host.Conn {
	w.t.Helper()
	c := host.Connect(remote.Machine{Address: w.h.Address, Port: w.port, User: w.h.User, Key: w.h.Key, HostKeys: []string{w.h.HostKey}})
	w.t.Cleanup(func() { c.Close() })
	return c
}

// as is the same machine, seen by another project.
func (w *world) as(project string) *world {
	w.t.Helper()
	other := *w
	other.c, other.project = w.connect(), project
	return &other
}

// sh runs a script on the machine by other means than ours.
func (w *world) sh(script string) string { w.t.Helper(); return w.m.Run("sh", "-ec", script) }

// args is what a script gives.
type args = resourcetest.Args

// declare makes a declaration; wrong arguments fail the test.
func (w *world) declare(k *resource.Kind, name string, a args) *resource.Declaration {
	w.t.Helper()
	in, problems := checked(k, name, a)
	if problems != nil {
		w.t.Fatal(problems)
	}
	return &resource.Declaration{Address: value.NewAddress("host.m", k.Name, name), Kind: k, Scope: "host.m", Args: in}
}

func checked(k *resource.Kind, name string, a args) (value.Struct, schema.Problems) {
	if f := k.Schema.NameField(); f != nil {
		a = args{f.Name: name}.With(a)
	}
	return resourcetest.Check(k, a)
}

func (w *world) observe(decls []*resource.Declaration) *resource.Observation {
	w.t.Helper()
	q := resource.Query{Project: w.project, Kinds: map[string]bool{}, Declared: decls}
	obs, err := w.c.Observe(w.t.Context(), q)
	if err != nil {
		w.t.Fatal(err)
	}
	return obs
}

// step is a change that the plan has.
type step struct {
	change *plan.Change
	kind   *resource.Kind
	live   *resource.Object
}

// steps plans declarations, and what is to go.
func (w *world) steps(decls []*resource.Declaration) []step {
	w.t.Helper()
	obs := w.observe(decls)
	ix := plan.NewIndex(&plan.ScopeState{Scope: &resource.Scope{Address: "host.m", Type: "host"}, Obs: obs}, w.project)
	for _, m := range w.moved {
		ix.Rename(m[0], m[1], false)
	}
	var out []step
	declared := map[value.Address]bool{}
	for _, d := range decls {
		declared[d.Address] = true
		ch, problems := plan.Decide(ix.Case(d))
		if problems != nil {
			w.t.Fatal(problems)
		}
		out = append(out, step{change: ch, kind: d.Kind})
	}
	for _, m := range w.moved {
		declared[m[0]] = true
	}
	for _, o := range usersFirst(obs.Objects) {
		if o.Mark.Project == w.project && !declared[o.Mark.Address] {
			i := slices.IndexFunc(host.Kinds(), func(k *resource.Kind) bool { return k.Name == o.Kind })
			out = append(out, step{kind: host.Kinds()[i], live: o})
		}
	}
	return out
}

// usersFirst returns objects in an order in which they can be deleted.
func usersFirst(objects []*resource.Object) (out []*resource.Object) {
	left := slices.Clone(objects)
	for len(left) > 0 {
		i := slices.IndexFunc(left, func(o *resource.Object) bool {
			return !slices.ContainsFunc(left, func(user *resource.Object) bool { return slices.Contains(user.Uses, o.ID) })
		})
		out = append(out, left[i])
		left = slices.Delete(left, i, i+1)
	}
	return out
}

// title is a step as a test writes it: "create file./etc/motd", "update
// package.nginx: hold version".
func (s step) title() string {
	if s.change == nil {
		return "delete " + s.live.Kind + "." + s.live.Name
	}
	text := fmt.Sprintf("%s %s.%s", s.change.Action, s.kind.Name, s.change.Address.Name())
	if s.change.Action == plan.Create {
		return text
	}
	var fields []string
	for _, f := range s.change.Fields {
		fields = append(fields, f.Path)
	}
	slices.Sort(fields)
	if len(fields) > 0 {
		text += ": " + strings.Join(fields, " ")
	}
	return text
}

// plan returns what would change, in the order of the declarations.
func (w *world) plan(decls ...*resource.Declaration) (out []string) {
	w.t.Helper()
	for _, s := range w.steps(decls) {
		if s.change == nil || s.change.Action != plan.NoOp {
			out = append(out, s.title())
		}
	}
	return out
}

// apply carries the plan out, and fails the test where that fails, where the
// plan was not what the test wants, or where a second one has something to do.
func (w *world) apply(want []string, decls ...*resource.Declaration) {
	w.t.Helper()
	if got := w.plan(decls...); !slices.Equal(got, want) {
		w.t.Errorf("the plan is %q, want %q", got, want)
	}
	if err := w.try(decls...); err != nil {
		w.t.Fatal(err)
	}
	w.moved = nil
	if again := w.plan(decls...); len(again) > 0 {
		w.t.Errorf("after %q, the plan still has %q", want, again)
	}
}

// try carries the plan out up to the first error.
func (w *world) try(decls ...*resource.Declaration) error {
	w.t.Helper()
	for _, s := range w.steps(decls) {
		if err := w.carryOut(s); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) carryOut(s step) error {
	r := &resource.Request{Progress: func(resource.Progress) {}}
	if s.change == nil {
		r.Address, r.Live = s.live.Mark.Address, s.live
		return s.kind.Handler.Delete(w.t.Context(), w.c, r)
	}
	ch := s.change
	r.Address, r.Args, r.Mark, r.Live, r.Restart = ch.Address, ch.Args, ch.Mark, ch.Live, ch.Restart
	var o *resource.Object
	var err error
	switch ch.Action {
	case plan.NoOp:
		return nil
	case plan.Create:
		o, err = s.kind.Handler.Create(w.t.Context(), w.c, r)
	case plan.Update:
		o, err = s.kind.Handler.Update(w.t.Context(), w.c, r)
	case plan.Replace:
		if err = s.kind.Handler.Delete(w.t.Context(), w.c, r); err == nil {
			r.Live = nil
			o, err = s.kind.Handler.Create(w.t.Context(), w.c, r)
		}
	default:
		return fmt.Errorf("unexpected %s", s.title())
	}
	if settler, ok := s.kind.Handler.(resource.Settler); ok && err == nil {
		err = settler.Settle(w.t.Context(), w.c, r, o)
	}
	return err
}

// renew makes one that is as declared anew, as --replace asks for.
func (w *world) renew(d *resource.Declaration) {
	w.t.Helper()
	s := w.steps(decls(d))[0]
	if s.change.Action != plan.NoOp || s.change.Live == nil {
		w.t.Fatalf("it is not as declared: %s", s.title())
	}
	s.change.Action = plan.Replace
	if err := w.carryOut(s); err != nil {
		w.t.Fatal(err)
	}
	if again := w.plan(d); len(again) > 0 {
		w.t.Errorf("made anew, the plan has %q", again)
	}
}

// fails wants the plan to fail with an error that holds all these texts.
func (w *world) fails(decls []*resource.Declaration, want ...string) {
	w.t.Helper()
	err := w.try(decls...)
	if err == nil {
		w.t.Fatalf("it went well, want an error with %q", want)
	}
	for _, text := range want {
		if !strings.Contains(err.Error(), text) {
			w.t.Errorf("the error is\n%v\nwant %q in it", err, text)
		}
	}
}

func want(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %q, want %q", what, got, want)
	}
}

func list(s ...string) []string { return s }

func decls(d ...*resource.Declaration) []*resource.Declaration { return d }
