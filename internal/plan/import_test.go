package plan

import (
	"slices"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// holding is a versioned kind whose content can be read back.
type holding struct{ versions }

func (holding) Holds(o *resource.Object, args value.Struct) bool {
	return o.Native == value.Reveal(args[1])
}

func pageKind() *resource.Kind {
	k := *fileKind
	k.Handler = holding{}
	return &k
}

// stray is a live object with nobody's mark.
func stray(k *resource.Kind, id, name string, kv ...any) *resource.Object {
	o := live(k, id, name, kv...)
	o.Mark = resource.Mark{}
	return o
}

func TestImport(t *testing.T) {
	seen := decl(thingKind, "seen")
	seen.External = true
	decls := []*resource.Declaration{decl(thingKind, "a", "image", "new", "labels", value.MapOf(map[string]string{"x": "1", "y": "2"})), decl(thingKind, "b"), seen}
	objects := []*resource.Object{
		stray(thingKind, "id1", "one", "image", "old", "labels", value.MapOf(map[string]string{"x": "1"})), stray(thingKind, "id22", "two"), stray(netKind, "id3", "net"),
		marked(live(thingKind, "id4", "b"), "shop", "room.main/thing.b"), marked(live(thingKind, "id5", "theirs"), "other", "room.main/thing.t"),
	}
	tests := []struct {
		address, object string
		want            string // an error; "" for the change below
	}{
		{"thing.a", "one", ""},
		{"room.main/thing.a", "id1", ""},
		{"thing.a", "id2", "id22"}, // the beginning of an ID
		{"thing.a", "id", "import thing.a: 4 IDs in room.main begin with id (give more of it)"},
		{"thing.a", "onne", `import thing.a: there is no thing "onne" in room.main, by its ID or name (did you mean "one"?)`},
		{"thing.a", "id3", "import thing.a: id3 is a net, and this is a thing"},
		{"thing.a", "net", "import thing.a: net is a net, and this is a thing"},
		{"thing.aa", "one", `import thing.aa: no such resource is declared (did you mean "thing.a"?)`},
		{"thing.seen", "one", "import thing.seen: it is declared as external, and never taken over (drop external = True)"},
		{"thing.a", "theirs", `import thing.a: thing "theirs" belongs to project other, where it is thing.t (let go of it there first, or take it by force: apply --adopt thing.a)`},
		{"thing.a", "b", `import thing.a: thing "b" is thing.b of this project (moved("thing.b", "thing.a") in the script gives it the new address)`},
		{"thing.b", "one", `import thing.b: it has a live object already, thing "b" (id4) (remove that one, or declare this one under an address of its own)`},
	}
	for _, tt := range tests {
		p, problems := scene{decls: decls, objects: objects, opts: Options{Imports: []Import{{tt.address, tt.object}}}}.build()
		if p == nil {
			if got := strings.TrimPrefix(problems.Err().Error(), "x.star:3:5: "); got != tt.want {
				t.Errorf("import %s %s: got %s, want %s", tt.address, tt.object, got, tt.want)
			}
			continue
		}
		if len(p.Changes) != 1 || len(p.Graph.Nodes) != 1 {
			t.Fatalf("import %s %s: got %d changes", tt.address, tt.object, len(p.Changes))
		}
		c := p.Changes[0]
		id := "id1"
		if tt.want != "" {
			id = tt.want
		}
		if c.Live.ID != id || !c.MarkOnly() || !c.Imported || c.Mark.Address != "room.main/thing.a" || !value.Equal(c.Args, c.Live.Args) {
			t.Errorf("import %s %s: got %+v", tt.address, tt.object, c)
		}
		if id == "id1" && !slices.Equal(c.Mark.Keys, []string{"labels:x"}) { // it does not have y yet
			t.Errorf("the keys are %v", c.Mark.Keys)
		}
	}
}

// What is ours already is no change; a scope that does not answer blocks; two
// addresses cannot take one object.
func TestImportEdges(t *testing.T) {
	decls := []*resource.Declaration{decl(thingKind, "a"), decl(thingKind, "b")}
	one := func(imports ...Import) scene {
		return scene{decls: decls, objects: []*resource.Object{live(thingKind, "id1", "a"), stray(thingKind, "id2", "two")}, opts: Options{Imports: imports}}
	}
	p, problems := one(Import{"thing.a", "a"}).build()
	if p == nil || p.Changes[0].Changes() || !p.Empty() {
		t.Errorf("got %v, %v", p, problems)
	}
	if _, problems = one(Import{"thing.b", "two"}, Import{"thing.b", "id2"}).build(); problems.Err() == nil || !strings.Contains(problems.Error(), `thing "two" is taken for thing.b already`) {
		t.Errorf("got %v", problems)
	}
	s := one(Import{"thing.b", "two"})
	s.status = Unreachable
	if p, problems = s.build(); p == nil || p.Changes[0].Blocked == "" || !p.Empty() {
		t.Errorf("got %v, %v", p, problems)
	}
	s.status = Absent
	if _, problems = s.build(); problems.Err() == nil || !strings.Contains(problems.Error(), "import thing.b: room.main does not exist") {
		t.Errorf("got %v", problems)
	}
}

// What can be renamed is taken with the name that it has: the mark remembers it.
func TestImportRemembersTheName(t *testing.T) {
	for _, d := range []*resource.Declaration{decl(boxKind, "a"), decl(boxKind, "a", "name", "other")} {
		p, problems := scene{decls: []*resource.Declaration{d}, objects: []*resource.Object{stray(boxKind, "1", "one")}, opts: Options{Imports: []Import{{"box.a", "one"}}}}.build()
		if p == nil || p.Changes[0].Mark.Name != "one" {
			t.Errorf("got %v, %v", p, problems)
		}
	}
	p, _ := scene{decls: []*resource.Declaration{decl(boxKind, "a")}, objects: []*resource.Object{stray(boxKind, "1", "a")}, opts: Options{Imports: []Import{{"box.a", "a"}}}}.build()
	if p.Changes[0].Mark.Name != "" {
		t.Errorf("the mark says %q, which the address does", p.Changes[0].Mark.Name)
	}
}

// An import that meets somebody else's write stays a mark on that object.
func TestImportAgain(t *testing.T) {
	decls := []*resource.Declaration{decl(thingKind, "a")}
	s := scene{decls: decls, objects: []*resource.Object{stray(thingKind, "id1", "one", "image", "old")}, opts: Options{Imports: []Import{{"thing.a", "one"}}}}
	p, _ := s.build()
	index := func(objects ...*resource.Object) *Index {
		return NewIndex(&ScopeState{Scope: &resource.Scope{Address: "room.main", Type: "room"}, Obs: &resource.Observation{Objects: objects}}, "shop")
	}
	changed := stray(thingKind, "id1", "one", "image", "newer")
	if c := ImportAgain(p.Changes[0], index(changed)); c == nil || c.Live != changed || !value.Equal(c.Args, changed.Args) || !c.MarkOnly() {
		t.Errorf("got %+v", c)
	}
	if c := ImportAgain(p.Changes[0], index()); c != nil {
		t.Errorf("it is gone, and got %+v", c)
	}
	if c := ImportAgain(p.Changes[0], index(marked(stray(thingKind, "id1", "one"), "other", "room.main/thing.x"))); c != nil {
		t.Errorf("it is another's, and got %+v", c)
	}
}

// An object under its plain name is a version where its content is known to be
// the declared one: taken over by adoption, then found by the hash in its mark.
func TestPlainVersion(t *testing.T) {
	k := pageKind()
	d := decl(k, "conf", "content", value.Secret{V: "x"})
	same, other := stray(k, "id1", "conf"), stray(k, "id1", "conf")
	same.Native, other.Native = "x", "y"
	action := func(o *resource.Object, opts Options) (Action, *Change) {
		t.Helper()
		p, problems := scene{decls: []*resource.Declaration{d}, objects: []*resource.Object{o}, key: "k", opts: opts}.build()
		if p == nil {
			t.Fatal(problems)
		}
		return p.Changes[0].Action, p.Changes[0]
	}
	for _, tt := range []struct {
		o    *resource.Object
		opts Options
		want Action
	}{
		{same, Options{}, Create}, // it is a stranger's
		{same, Options{AdoptAll: true}, Update},
		{same, Options{Adopt: []string{"file.conf"}}, Update},
		{other, Options{AdoptAll: true}, Create},
	} {
		got, c := action(tt.o, tt.opts)
		if got != tt.want || got == Update && (c.Name != "conf" || c.Mark.Hash != "x" || !c.MarkOnly()) {
			t.Errorf("%v, %+v: got %s: %+v", tt.o.Native, tt.opts, got, c)
		}
	}
	_, c := action(same, Options{Imports: []Import{{"file.conf", "id1"}}})
	same.Mark = c.Mark
	if got, c := action(same, Options{}); got != NoOp || c.Name != "conf" {
		t.Errorf("once imported: %s", got)
	}
	_, c = action(other, Options{Imports: []Import{{"file.conf", "id1"}}})
	other.Mark = c.Mark
	if got, _ := action(other, Options{}); got != NewVersion {
		t.Errorf("with another content: %s", got)
	}
}

// --adopt-all takes what is nobody's, and no more.
func TestAdoptAll(t *testing.T) {
	decls := []*resource.Declaration{decl(thingKind, "a")}
	p, problems := scene{decls: decls, objects: []*resource.Object{stray(thingKind, "id1", "a")}, opts: Options{AdoptAll: true}}.build()
	if p == nil || p.Changes[0].Reason != "adopted" {
		t.Errorf("got %v, %v", p, problems)
	}
	var list diag.List
	if p, list = (scene{decls: decls, objects: []*resource.Object{marked(live(thingKind, "id1", "a"), "other", "room.main/thing.a")}, opts: Options{AdoptAll: true}}).build(); p != nil {
		t.Errorf("it was taken from another project, %v", list)
	}
}
