package apply

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// TestConverges is the law that the product stands on. Random programs follow
// one another over one world; every apply may crash at any write, before it
// takes effect or after; hands change things in between. Run again and again
// it converges, nothing is deleted that no plan showed, and what is not ours
// is never touched. Checks are made after what they come after, and only when
// that changes.
func TestConverges(t *testing.T) {
	stories(t, 400, 7, story)
}

// stories tells random stories, each of a seed of its own, until one goes wrong.
// CONVERGE_ROUNDS says how many, in place of the number given.
func stories(t *testing.T, rounds int, stream uint64, story func(*testing.T, *rand.Rand)) {
	if s := os.Getenv("CONVERGE_ROUNDS"); s != "" {
		rounds, _ = strconv.Atoi(s)
	}
	for seed := range uint64(rounds) {
		if !t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { story(t, rand.New(rand.NewPCG(seed, stream))) }) {
			return
		}
	}
}

func story(t *testing.T, r *rand.Rand) {
	w := newWorld()
	g := &generator{r: r, w: w, kinds: w.kinds(), alias: map[string]string{}, renamed: map[string]string{}}
	for chapter := range 2 + r.IntN(4) {
		s := &session{w: w, program: g.program(), opts: plan.Options{AllowDataLoss: true}}
		if chapter > 0 && r.IntN(8) == 0 {
			s.opts.Destroy = true
		}
		strangers := g.strangers()
		if r.IntN(2) == 0 {
			part(t, r, s)
		}
		converge(t, r, s)
		for id, was := range g.renamed {
			if now := w.inside[id]; now != nil && now.Mark.Project == project && now.Name != was && len(s.opts.Targets)+len(s.opts.Exclude) == 0 {
				t.Fatalf("%s was renamed to %s by hand, and still is", was, now.Name)
			}
		}
		if len(s.program.Moves) > 0 { // which may leave the script now
			s.program.Moves = nil
			if p, err := s.plan(context.Background()); err != nil || !p.Empty() {
				t.Fatalf("without its moves the program is not what is live: %v\n%s", err, dump(p))
			}
		}
		for id, was := range strangers {
			if now := w.inside[id]; now == nil && w.room != nil && g.roomID == w.room.ID {
				t.Fatalf("%s of somebody else is gone", was)
			}
		}
		if s.opts.Destroy {
			for _, o := range w.inside {
				if o.Mark.Project == s.program.Project {
					t.Fatalf("destroy left %s %s", o.Kind, o.Name)
				}
			}
		}
		g.meddle()
	}
}

// converge applies until nothing is left to do.
func converge(t *testing.T, r *rand.Rand, s *session) {
	t.Helper()
	ctx := context.Background()
	w := s.w
	for try := 0; ; try++ {
		w.crashed, w.budget, w.after = false, -1, r.IntN(2) == 0
		if try > 25 {
			t.Fatalf("does not converge")
		}
		p, err := s.plan(ctx)
		if try > 0 && s.gone(err) {
			return
		}
		if err != nil {
			t.Fatalf("plan: %v", err)
		}
		if !s.opts.Destroy {
			checkDue(t, s.program, p)
		}
		if p.Empty() {
			return
		}
		if try < 12 && r.IntN(3) > 0 {
			w.budget = r.IntN(8)
		}
		before := len(w.deleted)
		now, err := s.begin(ctx, p)
		if err != nil {
			if w.crashed {
				continue
			}
			t.Fatalf("begin: %v", err)
		}
		res := s.apply(ctx, now)
		checkDeletions(t, w, p, w.deleted[before:])
		if err := checkEvents(s.events, res); err != nil {
			t.Fatalf("%v\n%s", err, describeEvents(s.events))
		}
		for _, step := range res.Steps {
			if step.Err != nil && !w.crashed && !errors.Is(step.Err, context.Canceled) {
				t.Fatalf("%s %s: %v\nplan:\n%s", step.Change.Action, step.Change.Address, step.Err, dump(p))
			}
		}
		if !w.crashed && !slices.ContainsFunc(res.Steps, func(s *StepResult) bool { return s.Outcome != OK }) {
			switch p, err := s.plan(ctx); {
			case s.gone(err):
			case err != nil || slices.ContainsFunc(p.Changes, unfinished):
				t.Fatalf("applied, and not what is declared: %v\n%s", err, dump(p))
			}
		}
		if !w.crashed && try > 12 && len(res.Steps) == 0 {
			t.Fatalf("a plan that is not empty had no steps:\n%s", dump(p))
		}
	}
}

// gone reports whether there is no plan because what it was to be of was to go,
// and is gone.
func (s *session) gone(err error) bool {
	return err != nil && len(s.opts.Targets)+len(s.opts.Exclude) > 0 && strings.Contains(err.Error(), "there is no such resource")
}

// unfinished reports whether an apply has left a change undone. A release may be
// left: what a declaration means now, that apply may have been the first to know.
func unfinished(c *plan.Change) bool { return c.Changes() && c.Action != plan.Release }

// checkDeletions fails where something went that the plan did not show.
func checkDeletions(t *testing.T, w *world, p *plan.Plan, ids []string) {
	t.Helper()
	for _, id := range ids {
		shown := slices.ContainsFunc(p.Changes, func(c *plan.Change) bool {
			return (c.Action == plan.Delete || c.Action == plan.Replace) && c.Live.ID == id
		})
		if !shown {
			t.Fatalf("%s was deleted, which the plan did not show:\n%s", id, dump(p))
		}
	}
}

func dump(p *plan.Plan) string {
	if p == nil {
		return "no plan"
	}
	s := ""
	for _, c := range p.Changes {
		live := ""
		if c.Live != nil {
			live = c.Live.ID
		}
		s += fmt.Sprintf("  %-4s %s %s %s %v\n", c.Action.Sign(), c.Address, live, c.Reason, c.Args)
	}
	return s
}

// generator makes programs and mischief.
type generator struct {
	r      *rand.Rand
	w      *world
	kinds  map[string]*resource.Kind
	roomID string
	wall   int
	prev   []*resource.Declaration
	alias  map[string]string // what net0 and the others are called now
	// renamed holds the names, by ID, of the apps that were renamed by hand.
	renamed map[string]string
}

const project = "shop"

func (g *generator) program() *resource.Program {
	p := &resource.Program{Project: project}
	was := maps.Clone(g.alias)
	for _, kind := range []string{"net", "blob", "app"} {
		for i := range 3 {
			if g.r.IntN(10) == 0 {
				g.alias[fmt.Sprint(kind, i)] = fmt.Sprint("x", g.r.IntN(2))
			}
		}
	}
	if g.r.IntN(12) == 0 {
		g.wall++
	}
	room := &resource.Declaration{
		Address: "room.main", Kind: g.kinds["room"], Scope: "world.w",
		Args: value.Struct{"main", int64(g.r.IntN(2)), fmt.Sprint("w", g.wall)},
	}
	p.Declarations = append(p.Declarations, room)
	ref := func(kind string, i int, out string) value.Ref {
		return value.Ref{Address: g.address(g.alias, kind, i), Output: out, Type: "string"}
	}
	var nets, blobs, apps []int
	for i := range 3 {
		if g.r.IntN(3) > 0 {
			nets = append(nets, i)
			var cidr value.Value = fmt.Sprint("10.", g.r.IntN(2))
			if len(apps) > 0 && g.r.IntN(4) == 0 {
				cidr = &value.Template{Parts: []value.Value{"via-", ref("app", apps[0], "addr")}}
			}
			p.Declarations = append(p.Declarations, g.decl("net", i, value.Struct{nil, cidr}))
		}
		if g.r.IntN(3) > 0 {
			blobs = append(blobs, i)
			var content value.Value = value.Secret{V: fmt.Sprint("c", g.r.IntN(4))}
			if len(apps) > 0 && g.r.IntN(4) == 0 {
				content = value.Secret{V: &value.Template{Parts: []value.Value{"of-", ref("app", apps[0], "addr")}}}
			}
			p.Declarations = append(p.Declarations, g.decl("blob", i, value.Struct{nil, content, g.labels()}))
		}
		if g.r.IntN(4) == 0 {
			continue
		}
		args := value.Struct{nil, fmt.Sprint("image", g.r.IntN(2)), fmt.Sprint("m", g.r.IntN(3)/2), nil, nil, g.some(nets, "net", ref), g.some(blobs, "blob", ref), g.labels()}
		if len(apps) > 0 && g.r.IntN(2) == 0 {
			args[3] = ref("app", apps[g.r.IntN(len(apps))], "addr")
		}
		if len(apps) > 0 && g.r.IntN(4) == 0 {
			args[4] = ref("app", apps[g.r.IntN(len(apps))], "id")
		}
		d := g.decl("app", i, args)
		if g.r.IntN(3) == 0 {
			d.Lifecycle.ReplaceOn = value.List{fmt.Sprint("t", g.r.IntN(2))}
		}
		apps = append(apps, i)
		p.Declarations = append(p.Declarations, d)
	}
	p.Declarations = append(p.Declarations, g.peers(apps, ref)...)
	g.probes(p, apps, ref)
	p.Outputs = []resource.OutputValue{{Name: "room", Value: value.Ref{Address: "room.main", Output: "id"}}}
	g.move(p, was)
	g.prev = p.Declarations
	return p
}

// peers declares some of those that are there, or will be: under changing
// addresses, so that marks wander.
func (g *generator) peers(apps []int, ref func(string, int, string) value.Ref) (out []*resource.Declaration) {
	shift := g.r.IntN(2)
	for i, name := range peers {
		if g.w.room != nil && g.w.peer(name) == nil || g.r.IntN(3) == 0 {
			continue
		}
		args := value.Struct{name, nil, g.labels()}
		if len(apps) > 0 && g.r.IntN(3) == 0 {
			args[1] = ref("app", apps[0], "id")
		}
		out = append(out, &resource.Declaration{
			Address: value.NewAddress("room.main", "peer", peers[(i+shift)%len(peers)]), Kind: g.kinds["peer"], Scope: "room.main", Args: args, NameGiven: true,
		})
	}
	return out
}

func (g *generator) address(alias map[string]string, kind string, i int) value.Address {
	name := fmt.Sprint(kind, i)
	return value.NewAddress("room.main", kind, name+alias[name])
}

// move says of what was declared before that it is called otherwise now.
func (g *generator) move(p *resource.Program, was map[string]string) {
	declared := func(decls []*resource.Declaration, a value.Address) bool {
		return slices.ContainsFunc(decls, func(d *resource.Declaration) bool { return d.Address == a })
	}
	for _, kind := range []string{"net", "blob", "app"} {
		for i := range 3 {
			from, to := g.address(was, kind, i), g.address(g.alias, kind, i)
			if from != to && declared(g.prev, from) && declared(p.Declarations, to) {
				p.Moves = append(p.Moves, resource.Move{From: from, To: to})
			}
		}
	}
}

func (g *generator) decl(kind string, i int, args value.Struct) *resource.Declaration {
	address := g.address(g.alias, kind, i)
	args[0] = address.Name()
	return &resource.Declaration{Address: address, Kind: g.kinds[kind], Scope: "room.main", Args: args}
}

func (g *generator) labels() value.Value {
	m := map[string]string{}
	for i := range 3 {
		if g.r.IntN(2) == 0 {
			m[fmt.Sprint("l", i)] = fmt.Sprint(g.r.IntN(2))
		}
	}
	return value.MapOf(m)
}

func (g *generator) some(of []int, kind string, ref func(string, int, string) value.Ref) value.Value {
	l := value.List{}
	for _, i := range of {
		if g.r.IntN(2) == 0 {
			l = append(l, ref(kind, i, "name"))
		}
	}
	return l
}

// strangers puts things of others into the room, and returns all there are.
func (g *generator) strangers() map[string]string {
	out := map[string]string{}
	if g.w.room == nil {
		return out
	}
	g.roomID = g.w.room.ID
	if g.r.IntN(2) == 0 {
		t := &thing{spec: &appSpec{Name: fmt.Sprint("theirs", g.w.nextID)}}
		t.Object = resource.Object{Kind: "app", ID: g.w.id(), Version: 1, Mark: resource.Mark{Project: "theirs"}}
		t.Name = nameOf(t.spec)
		g.w.inside[t.ID] = t
	}
	for id, o := range g.w.inside {
		if o.Mark.Project != project || o.Kind == "peer" { // a peer stays, declared or not
			out[id] = o.Name
		}
	}
	return out
}

// meddle changes what is live by hand.
func (g *generator) meddle() {
	w := g.w
	w.crashed, w.budget = false, -1
	for _, o := range w.inside {
		app, ok := o.spec.(*appSpec)
		if !ok || g.r.IntN(3) > 0 {
			continue
		}
		switch g.r.IntN(4) {
		case 0:
			app.Image = "by-hand"
			o.Version++
		case 1:
			if app.Labels == nil {
				app.Labels = map[string]string{}
			}
			app.Labels["l0"], app.Labels["foreign"] = "by-hand", "x"
			o.Version++
		case 2:
			delete(w.inside, o.ID)
		case 3:
			if g.renamed[o.ID] == "" {
				g.renamed[o.ID] = o.Name
			}
			o.Name = "by-hand-" + o.ID
			app.Name = o.Name
			o.Version++
		}
	}
	if name := peers[g.r.IntN(len(peers))]; w.room != nil && g.r.IntN(4) == 0 {
		if p := w.peer(name); p != nil {
			delete(w.inside, p.ID)
		} else {
			w.join(name)
		}
	}
	if g.r.IntN(15) == 0 {
		w.room, w.inside, w.ledger = nil, map[string]*thing{}, nil
	}
}
