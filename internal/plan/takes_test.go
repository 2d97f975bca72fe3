package plan

import (
	"slices"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// Who deletes a scope is told all that goes with it, strangers' things first.
func TestTakes(t *testing.T) {
	db := marked(live(thingKind, "1", "db"), "other/prod", "room.x/thing.db")
	old := marked(live(thingKind, "2", "old"), "", "")
	web := marked(live(thingKind, "3", "web"), "shop", "room.main/thing.web")
	system := marked(live(netKind, "4", "ingress"), "", "")
	system.Unlisted = true
	room := &resource.Object{Kind: "room", ID: "r", Name: "main", Mark: resource.Mark{Project: "shop", Address: "room.main"}, Args: make([]any, 1)}
	kinds := map[string]*resource.Kind{"thing": thingKind, "net": netKind, "room": roomKind}
	p, problems := Build(Input{
		Program: &resource.Program{Project: "shop"},
		Scopes: map[string]*ScopeState{
			"house.h":   {Scope: &resource.Scope{Address: "house.h", Type: "house"}, Obs: &resource.Observation{Objects: []*resource.Object{room}}},
			"room.main": {Scope: &resource.Scope{Address: "room.main", Type: "room"}, Obs: &resource.Observation{Objects: []*resource.Object{web, old, db, system}}},
		},
		Kinds:   func(_, name string) *resource.Kind { return kinds[name] },
		Options: Options{Destroy: true, AllowDataLoss: true},
	})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	if len(p.Changes) != 1 {
		t.Fatalf("got %d changes, want the room alone", len(p.Changes))
	}
	want := []string{"thing db of other/prod", "thing old, unmanaged", "thing web"}
	if got := p.Changes[0].Takes; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNothingToAdopt(t *testing.T) {
	decls := []*resource.Declaration{decl(thingKind, "a", "image", "x")}
	adopt := Options{Adopt: []string{"thing.a"}}
	for want, objects := range map[string][]*resource.Object{
		"nothing to adopt: thing.a does not exist":            nil,
		"nothing to adopt: thing.a is this project's already": {live(thingKind, "1", "a", "image", "x")},
		"": {marked(live(thingKind, "1", "a", "image", "x"), "", "")},
	} {
		p, problems := scene{decls: decls, objects: objects, opts: adopt}.build()
		if err := problems.Err(); err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, w := range p.Warnings {
			got += w.Summary
		}
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	book := scene{decls: []*resource.Declaration{decl(bookKind, "a", "title", "x")}, opts: Options{Adopt: []string{"book.a"}}}
	if p, _ := book.build(); len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0].Summary, "needs no adoption") {
		t.Errorf("of what carries no mark: %v", p.Warnings)
	}
	if p, _ := (scene{decls: decls}).build(); len(p.Warnings) > 0 {
		t.Errorf("nobody asked to adopt, got %v", p.Warnings)
	}
}
