package plan

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// A node's dependencies are the same whether they are searched or looked up.
func TestAfterDropsDuplicates(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		n := &Node{ID: -1}
		var want []int
		for range rnd.IntN(200) {
			id := rnd.IntN(60)
			n.afterID(id)
			if !slices.Contains(want, id) {
				want = append(want, id)
			}
		}
		if !slices.Equal(n.Deps, want) {
			t.Fatalf("got %v, want %v", n.Deps, want)
		}
	}
}

// The index of users finds what a search through all objects does.
func TestUsersOf(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		obs := &resource.Observation{}
		for i := range rnd.IntN(30) {
			o := &resource.Object{Kind: "service", ID: fmt.Sprint(i)}
			for range rnd.IntN(4) {
				o.Uses = append(o.Uses, fmt.Sprint(rnd.IntN(10)))
			}
			obs.Objects = append(obs.Objects, o)
		}
		ix := NewIndex(&ScopeState{Obs: obs}, "p")
		for id := range 10 {
			var want []*resource.Object
			for _, o := range obs.Objects {
				if slices.Contains(o.Uses, fmt.Sprint(id)) {
					want = append(want, o)
				}
			}
			if got := ix.usersOf(fmt.Sprint(id)); !slices.Equal(got, want) {
				t.Fatalf("%d is used by %v, want %v", id, got, want)
			}
		}
	}
}

type thing struct {
	Name string `star:"name"`
	Size int    `star:"size"`
}

var crowdKind = &resource.Kind{Name: "thing", Scope: "place", Schema: schema.Of(&thing{}), Busy: true}

// crowd is n declared things, and as many live ones at old addresses that all
// use one that is not declared any more, and every second one's neighbour.
func crowd(n int) Input {
	scope := &resource.Scope{Address: "place.x", Type: "place"}
	obs := &resource.Observation{Objects: []*resource.Object{{
		Kind: "thing", ID: "net", Name: "net", Args: value.Struct{"net", int64(0)},
		Mark: resource.Mark{Project: "p", Address: "place.x/thing.net"},
	}}}
	in := Input{
		Program: &resource.Program{Project: "p", Scopes: []*resource.Scope{scope}},
		Scopes:  map[string]*ScopeState{scope.Address: {Scope: scope, Obs: obs}},
		Kinds:   func(string, string) *resource.Kind { return crowdKind },
	}
	for i := range n {
		name := fmt.Sprintf("t%d", i)
		d := &resource.Declaration{Kind: crowdKind, Scope: scope.Address, Args: value.Struct{name, int64(1)},
			Address: value.NewAddress(scope.Address, "thing", name)}
		in.Program.Declarations = append(in.Program.Declarations, d)
		old := value.NewAddress(scope.Address, "thing", "old-"+name)
		in.Program.Moves = append(in.Program.Moves, resource.Move{From: old, To: d.Address})
		o := &resource.Object{Kind: "thing", ID: name, Name: name, Args: value.Struct{name, int64(0)}, Uses: []string{"net"},
			Mark: resource.Mark{Project: "p", Address: old}}
		if i%2 == 1 {
			o.Uses = append(o.Uses, fmt.Sprintf("t%d", i-1))
		}
		obs.Objects = append(obs.Objects, o)
		in.Options.Adopt = append(in.Options.Adopt, d.Address.Short())
	}
	return in
}

// BenchmarkCrowd plans n updates that move what is live, and the deletion of
// what all of it uses; and the destruction of everything. Ten times as many
// may take eleven times as long.
func BenchmarkCrowd(b *testing.B) {
	for _, destroy := range []bool{false, true} {
		for _, n := range []int{1000, 10000} {
			b.Run(fmt.Sprintf("destroy=%v/n=%d", destroy, n), func(b *testing.B) {
				in := crowd(n)
				in.Options.Destroy = destroy
				if destroy {
					in.Options.Adopt = nil
				}
				for b.Loop() {
					if p, problems := Build(in); p == nil {
						b.Fatal(problems)
					}
				}
			})
		}
	}
}
