package apply

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// walls is the handler of boxes that let others in: each bit of the size is one.
type walls struct{ boxes }

func (h walls) Update(ctx context.Context, _ resource.Conn, r *resource.Request) (*resource.Object, error) {
	if err := h.y.call(ctx, fmt.Sprint("let ", value.Text(r.Args[1]), " in by"), r.Address.Name()); err != nil {
		return nil, err
	}
	h.y.mu.Lock()
	defer h.y.mu.Unlock()
	o := *r.Live
	o.Args, o.Mark = r.Args, r.Mark
	i := slices.IndexFunc(h.y.objects, func(l *resource.Object) bool { return l.ID == o.ID })
	h.y.objects[i] = &o
	return &o, nil
}

// wall adds a step that lets somebody in, and now lets in others; what comes
// first widens it.
func (y *yard) wall(name string, was int64, want value.Value, after ...string) *plan.Change {
	c := y.step(plan.Update, name)
	k := *y.kind()
	k.Handler = walls{boxes{y}}
	k.Widen = func(live *resource.Object, args value.Struct) (value.Struct, bool) {
		wide := slices.Clone(args)
		lets, _ := args[1].(int64)
		wide[1] = lets | live.Args[1].(int64)
		return wide, true
	}
	args := value.Struct{name, want, ""}
	c.Live.Args[1], c.Args, c.Decl.Args = was, args, args
	c.Kind, c.Decl.Kind = &k, &k
	n := y.nodes[name]
	wide := &plan.Node{ID: len(y.plan.Graph.Nodes), Change: c, Phase: plan.Widen}
	y.plan.Graph.Nodes = append(y.plan.Graph.Nodes, wide)
	y.nodes["w:"+name] = wide
	n.Deps = append(n.Deps, wide.ID)
	for _, d := range after {
		n.Deps = append(n.Deps, y.nodes[d].ID)
	}
	return c
}

// A wall lets those in who come, while those who leave are there, and only then
// refuses them.
func TestWiden(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		y.step(plan.Delete, "leaver")
		y.wall("wall", 2, int64(1), "leaver")
		y.step(plan.Create, "comer", "w:wall")
		y.nodes["leaver"].Deps = []int{y.nodes["comer"].ID}
		y.expect(y.run(t.Context()), "leaver ok, wall ok, comer ok", 0)
		if got, want := y.did("let", "create", "delete"), "let 3 in by wall, create comer, delete leaver, let 1 in by wall"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

// What is as wide as it shall be is left alone; what came to be what it shall be
// in the meantime, too.
func TestWidenNothing(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		y.wall("wall", 3, int64(1))
		y.expect(y.run(t.Context()), "wall ok", 0)
		if got, want := y.did("let"), "let 1 in by wall"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
	inYard(t, func(t *testing.T, y *yard) {
		y.wall("wall", 1, int64(3))
		y.expect(y.run(t.Context()), "wall ok", 0)
		if got, want := y.did("let"), "let 3 in by wall"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

// A wall is widened for each who comes, with what is known by then.
func TestWidenOneByOne(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		y.step(plan.Create, "one")
		y.wall("wall", 2, value.Ref{Address: value.NewAddress(yardAddr, "box", "one"), Output: "size", Type: "int"}, "one")
		y.nodes["wall"].Change.Live.Args[1] = int64(2)
		for _, c := range y.plan.Changes {
			c.Kind.Out = append(c.Kind.Out, resource.Output{Name: "size", Type: "int", Arg: "size"})
		}
		again := &plan.Node{ID: len(y.plan.Graph.Nodes), Change: y.nodes["wall"].Change, Phase: plan.Widen, Deps: []int{y.nodes["one"].ID}}
		y.plan.Graph.Nodes = append(y.plan.Graph.Nodes, again)
		y.nodes["wall"].Deps = append(y.nodes["wall"].Deps, again.ID)
		y.expect(y.run(t.Context()), "one ok, wall ok", 0)
		if got, want := y.did("let"), "let 3 in by wall, let 1 in by wall"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

// A wall that does not open keeps out who comes, and stays as it is.
func TestWidenFails(t *testing.T) {
	inYard(t, func(t *testing.T, y *yard) {
		y.fails("let 3 in by wall", errBroken)
		y.step(plan.Delete, "leaver")
		y.wall("wall", 2, int64(1), "leaver")
		y.step(plan.Create, "comer", "w:wall")
		y.expect(y.run(t.Context()), "leaver ok, wall failed: broken, comer skipped because of wall", 4)
		if got, want := y.did("let", "create"), "let 3 in by wall"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}
