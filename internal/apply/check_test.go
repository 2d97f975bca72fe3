package apply

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// A probe of the model world passes where the addresses that it was given are
// those of apps that are there: it must come after them, and be told what they
// have become.
type probeSpec struct {
	Targets []string `star:"targets,required,pos"`
	Name    string   `star:"name,local"`
}

func (w *world) probe() *resource.Kind {
	return &resource.Kind{
		Name: "probe", Schema: schema.Of(probeSpec{}),
		Unnamed: func(value.Struct) string { return "unnamed" },
		Verify: func(_ context.Context, c resource.Conn, r *resource.Request) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			if _, ok := w.call(false); !ok {
				return errCrash
			}
			if c != nil {
				return errors.New("it lives nowhere, and has a connection")
			}
			spec := &probeSpec{}
			if err := schema.Of(spec).Decode(r.Args, spec); err != nil {
				return err
			}
			var there []string
			for id, o := range w.inside {
				there = append(there, fmt.Sprintf("at %s-%d", id, o.Version))
			}
			for _, target := range spec.Targets {
				if !slices.Contains(there, target) {
					return fmt.Errorf("%s is asked for, and there are %s", target, strings.Join(there, ", "))
				}
			}
			return nil
		},
	}
}

// probes declares checks of some apps: by their addresses, by after, of each
// other. They have dice of their own, so that the rest of a story is what it
// would be without them.
func (g *generator) probes(p *resource.Program, apps []int, ref func(string, int, string) value.Ref) {
	r := rand.New(rand.NewPCG(uint64(len(p.Declarations)), uint64(g.w.nextID)))
	for i := range r.IntN(3) {
		targets := value.List{}
		d := &resource.Declaration{Address: value.NewAddress("", "probe", fmt.Sprint("p", i)), Kind: g.kinds["probe"]}
		for _, app := range apps {
			switch r.IntN(3) {
			case 0:
				targets = append(targets, &value.Template{Parts: []value.Value{"at ", ref("app", app, "addr")}})
			case 1:
				d.After = append(d.After, g.address(g.alias, "app", app))
			}
		}
		if i > 0 && r.IntN(2) == 0 {
			d.After = append(d.After, value.NewAddress("", "probe", fmt.Sprint("p", i-1)))
		}
		d.Args = value.Struct{targets, d.Address.Name()}
		p.Declarations = append(p.Declarations, d)
	}
}

// checkDue fails where a check is made that nothing asks for, or is not made
// though something that it comes after changes.
func checkDue(t *testing.T, program *resource.Program, p *plan.Plan) {
	t.Helper()
	changes := map[value.Address]*plan.Change{}
	for _, c := range p.Changes {
		if c.Action != plan.Delete { // of old versions
			changes[c.Address] = c
		}
	}
	decls := map[value.Address]*resource.Declaration{}
	for _, d := range program.Declarations {
		decls[d.Address] = d
	}
	stirred := map[value.Address]bool{}
	for again := true; again; {
		again = false
		for a, d := range decls {
			before := append([]value.Address{value.Address(d.Scope)}, d.After...)
			for _, r := range d.Refs() {
				before = append(before, r.Address)
			}
			hit := changes[a] != nil && changes[a].Changes() || slices.ContainsFunc(before, func(b value.Address) bool { return stirred[b] })
			if hit && !stirred[a] {
				stirred[a], again = true, true
			}
		}
	}
	for a, d := range decls {
		if d.Kind.Verify == nil || changes[a] == nil { // which a part of the project may not have
			continue
		}
		if due := changes[a].Action == plan.Check; due != stirred[a] {
			t.Fatalf("%s: made is %v, want %v:\n%s", a, due, stirred[a], dump(p))
		}
	}
}

// A check that waits ends as soon as the run is stopped, and has not passed:
// nothing more is begun, and the run was interrupted although it was its last
// step.
func TestCheckStopped(t *testing.T) {
	for _, more := range []bool{false, true} {
		stop := make(chan struct{})
		waits := &resource.Kind{Name: "probe", Schema: schema.Of(probeSpec{}),
			Verify: func(ctx context.Context, _ resource.Conn, r *resource.Request) error {
				close(stop)
				<-ctx.Done()
				if errors.Is(ctx.Err(), context.DeadlineExceeded) {
					t.Error("it went on until its own time was over")
				}
				return &resource.NotConverged{Address: r.Address, Summary: "had not passed"}
			}}
		check := &resource.Declaration{Address: "probe.p", Kind: waits, Args: value.Struct{value.List{}, "p"}, After: []value.Address{"room.main"}, Timeout: 10 * time.Second}
		w := newWorld()
		kinds := w.kinds()
		s := &session{w: w, program: &resource.Program{Project: project, Declarations: []*resource.Declaration{
			{Address: "room.main", Kind: kinds["room"], Scope: "world.w", Args: value.Struct{"main", nil, nil}}, check,
		}}}
		want := map[value.Address]Outcome{"room.main": OK, "probe.p": Broken}
		if more {
			s.program.Declarations = append(s.program.Declarations, &resource.Declaration{
				Address: "room.main/net.n", Kind: kinds["net"], Scope: "room.main", Args: value.Struct{"n", nil}, After: []value.Address{"probe.p"}})
			want["room.main/net.n"] = Omitted
		}
		p, err := s.plan(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		res := Run(context.Background(), Input{Plan: p, Program: s.program, Scopes: s.conns, Stop: stop})
		for _, step := range res.Steps {
			if a := step.Change.Address; step.Outcome != want[a] {
				t.Errorf("%s: outcome %d, want %d (%v)", a, step.Outcome, want[a], step.Err)
			}
		}
		if len(res.Steps) != len(want) || !res.Interrupted || res.ExitCode() != ExitInterrupted {
			t.Errorf("%d steps, interrupted %v, exit code %d", len(res.Steps), res.Interrupted, res.ExitCode())
		}
	}
}

// A check that fails skips what comes after it and nothing else; with Detach
// none is made.
func TestChecksFail(t *testing.T) {
	fails := &resource.Kind{Name: "probe", Schema: schema.Of(probeSpec{}),
		Verify: func(ctx context.Context, _ resource.Conn, r *resource.Request) error {
			<-ctx.Done()
			return &resource.NotConverged{Address: r.Address, Summary: "did not pass"}
		}}
	for _, detach := range []bool{false, true} {
		w := newWorld()
		kinds := w.kinds()
		room := &resource.Declaration{Address: "room.main", Kind: kinds["room"], Scope: "world.w", Args: value.Struct{"main", nil, nil}}
		check := &resource.Declaration{Address: "probe.p", Kind: fails, Args: value.Struct{value.List{}, "p"},
			After: []value.Address{"room.main"}, Timeout: time.Millisecond}
		app := func(name string, after ...value.Address) *resource.Declaration {
			args := make(value.Struct, len(kinds["app"].Schema.Fields()))
			args[0] = name
			return &resource.Declaration{Address: value.NewAddress("room.main", "app", name), Kind: kinds["app"], Scope: "room.main", Args: args, After: after}
		}
		s := &session{w: w, program: &resource.Program{Project: project, Declarations: []*resource.Declaration{
			room, check, app("needs-it", "probe.p"), app("does-not"),
		}}}
		p, err := s.plan(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		res := Run(context.Background(), Input{Plan: p, Program: s.program, Scopes: s.conns, Detach: detach})
		want := map[value.Address]Outcome{"room.main": OK, "probe.p": Broken, "room.main/app.needs-it": Omitted, "room.main/app.does-not": OK}
		code := ExitNotConverged
		if detach {
			want["probe.p"], want["room.main/app.needs-it"], code = Omitted, OK, ExitOK
		}
		for _, step := range res.Steps {
			if got := step.Outcome; got != want[step.Change.Address] {
				t.Errorf("detach %v: %s: outcome %d, want %d (%v)", detach, step.Change.Address, got, want[step.Change.Address], step.Err)
			}
		}
		if len(res.Steps) != len(want) || res.ExitCode() != code {
			t.Errorf("detach %v: %d steps, exit code %d; want %d, %d", detach, len(res.Steps), res.ExitCode(), len(want), code)
		}
	}
}
