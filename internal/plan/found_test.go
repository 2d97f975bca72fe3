package plan

import (
	"slices"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// hosts come and go by themselves. Those of a declared name are meant, of two
// the one that is ours; to change several at once is forbidden where one is
// called "fragile", and otherwise done by name, backwards.
type hostSpec struct {
	Name   string            `star:"name,pos,local"`
	Labels map[string]string `star:"labels,merge"`
	Use    *string           `star:"use"`
}

var hostKind = &resource.Kind{Name: "host", Schema: schema.Of(hostSpec{}), Out: out, Scope: "room", Rank: 1, Find: findHost, Sequence: hostSequence}

func findHost(objects []*resource.Object, ours func(*resource.Object) bool, args value.Struct) (*resource.Object, *diag.Diagnostic) {
	var found []*resource.Object
	for _, o := range objects {
		if o.Name == args[0] {
			found = append(found, o)
		}
	}
	if i := slices.IndexFunc(found, ours); i >= 0 && len(found) > 1 {
		found = found[i : i+1]
	}
	switch {
	case args[2] != nil && !value.Known(args[2]):
		return nil, nil
	case len(found) != 1:
		return nil, &diag.Diagnostic{Summary: "not one host of that name"}
	}
	return found[0], nil
}

func hostSequence(objects []*resource.Object, planned []resource.Planned) ([]resource.Planned, *diag.Diagnostic) {
	out := slices.Clone(planned)
	slices.SortFunc(out, func(a, b resource.Planned) int { return -strings.Compare(a.Live.Name, b.Live.Name) })
	for _, p := range planned {
		if p.Live.Name == "fragile" {
			return nil, &diag.Diagnostic{Summary: "handle with care"}
		}
	}
	return out, nil
}

func labels(kv ...string) *value.Map {
	m := map[string]string{}
	for i := 0; i < len(kv); i += 2 {
		m[kv[i]] = kv[i+1]
	}
	return value.MapOf(m)
}

func TestFound(t *testing.T) {
	nobodys := func(o *resource.Object) *resource.Object { return marked(o, "", "") }
	keys := func(o *resource.Object, keys ...string) *resource.Object { o.Mark.Keys = keys; return o }
	named := func(d *resource.Declaration, name string) *resource.Declaration {
		d.Args[0], d.NameGiven = name, true
		return d
	}
	for _, tt := range []struct {
		name string
		scene
		want string
	}{
		{"is taken over without being asked", scene{decls: []*resource.Declaration{decl(hostKind, "a", "labels", labels("tier", "web"))},
			objects: []*resource.Object{nobodys(live(hostKind, "1", "a", "labels", labels("zone", "b")))}}, `~ host.a labels["tier"]:none>"web" (taken over)`},
		{"as declared", scene{decls: []*resource.Declaration{decl(hostKind, "a")}, objects: []*resource.Object{live(hostKind, "1", "a")}}, ""},
		{"another project's", scene{decls: []*resource.Declaration{decl(hostKind, "a")}, objects: []*resource.Object{marked(live(hostKind, "1", "a"), "other", "x")}},
			"error: belongs to project other"},
		{"another project's, adopted", scene{decls: []*resource.Declaration{decl(hostKind, "a")}, opts: Options{Adopt: []string{"host.a"}},
			objects: []*resource.Object{marked(live(hostKind, "1", "a"), "other", "x")}}, "~ host.a (adopted)"},
		{"not there", scene{decls: []*resource.Declaration{decl(hostKind, "a")}}, "error: not one host of that name"},
		{"its scope is not there yet", scene{decls: []*resource.Declaration{decl(hostKind, "a")}, status: Absent}, "~ host.a"},
		{"which one cannot be told yet", scene{decls: []*resource.Declaration{decl(thingKind, "t"), decl(hostKind, "a", "use", ref("thing.t", "addr"))},
			objects: []*resource.Object{live(hostKind, "1", "a")}}, "+ thing.t\n~ host.a"},
		{"no longer declared", scene{objects: []*resource.Object{live(hostKind, "1", "a")}}, ". host.a (no longer declared)"},
		{"destroyed", scene{opts: Options{Destroy: true}, decls: []*resource.Declaration{decl(hostKind, "a")}, objects: []*resource.Object{live(hostKind, "1", "a")}}, ". host.a"},
		{"a label of ours is gone from the script", scene{decls: []*resource.Declaration{decl(hostKind, "a")},
			objects: []*resource.Object{keys(live(hostKind, "1", "a", "labels", labels("tier", "web", "zone", "b")), "labels:tier")}}, `~ host.a labels["tier"]:"web">none`},
		{"means another one now", scene{decls: []*resource.Declaration{named(decl(hostKind, "a"), "b")},
			objects: []*resource.Object{live(hostKind, "1", "a"), nobodys(live(hostKind, "2", "b"))}}, "~ host.a (taken over)\n. host.a (host.a is another host now)"},
		{"two swap their names", scene{decls: []*resource.Declaration{named(decl(hostKind, "a"), "b"), named(decl(hostKind, "b"), "a")},
			objects: []*resource.Object{live(hostKind, "1", "a"), live(hostKind, "2", "b")}}, "~ host.a (moved from host.b)\n~ host.b (moved from host.a)"},
		{"is called otherwise in the script", scene{decls: []*resource.Declaration{named(decl(hostKind, "c"), "a")},
			objects: []*resource.Object{live(hostKind, "1", "a")}}, "~ host.c (moved from host.a)"},
		{"moved", scene{decls: []*resource.Declaration{named(decl(hostKind, "c"), "a")}, moves: []resource.Move{{From: "room.main/host.a", To: "room.main/host.c"}},
			objects: []*resource.Object{live(hostKind, "1", "a")}}, "~ host.c (moved from host.a)"},
		{"declared twice", scene{decls: []*resource.Declaration{decl(hostKind, "a"), named(decl(hostKind, "b"), "a")},
			objects: []*resource.Object{live(hostKind, "1", "a")}}, "error: host.b is the same host as host.a"},
		{"of two the one that is ours", scene{decls: []*resource.Declaration{decl(hostKind, "a", "labels", labels("k", "v"))},
			objects: []*resource.Object{nobodys(live(hostKind, "1", "a")), live(hostKind, "2", "a")}}, `~ host.a labels["k"]:none>"v"`},
		{"only read", scene{decls: []*resource.Declaration{external(decl(hostKind, "a"))}, objects: []*resource.Object{nobodys(live(hostKind, "1", "a"))}}, "<= host.a"},
		{"read, and not ours any more", scene{decls: []*resource.Declaration{external(decl(hostKind, "a"))}, objects: []*resource.Object{live(hostKind, "1", "a")}}, "<= host.a\n. host.a (it is only read now)"},
		{"must not be changed with others", scene{decls: []*resource.Declaration{decl(hostKind, "a", "use", "x"), decl(hostKind, "fragile", "use", "x")},
			objects: []*resource.Object{live(hostKind, "1", "a"), live(hostKind, "2", "fragile")}}, "error: room.main: handle with care"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, problems := tt.build()
			if want, isErr := strings.CutPrefix(tt.want, "error: "); isErr {
				if p != nil || !strings.Contains(problems.Error(), want) {
					t.Fatalf("got %v, want an error with %q", problems, want)
				}
				return
			}
			if p == nil {
				t.Fatalf("no plan: %v", problems)
			}
			if got := text(p); got != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
		})
	}
}

// A sequence is one change after the other, whatever the script's order.
func TestSequence(t *testing.T) {
	var s scene
	for _, n := range []string{"a", "c", "b"} {
		s.decls = append(s.decls, decl(hostKind, n, "use", "x"))
		s.objects = append(s.objects, live(hostKind, n, n))
	}
	p, problems := s.build()
	if p == nil {
		t.Fatal(problems)
	}
	order, _ := p.Graph.Order()
	var got []string
	for _, id := range order {
		n := p.Graph.Nodes[id]
		got = append(got, n.Change.Address.Name())
		if want := min(len(got)-1, 1); len(n.Deps) != want {
			t.Errorf("%s waits for %d others, want %d", n.Change.Address, len(n.Deps), want)
		}
	}
	if !slices.Equal(got, []string{"c", "b", "a"}) {
		t.Errorf("the order is %v", got)
	}
}

// What is let go of goes last: others may count on it until they are changed.
func TestReleaseComesLast(t *testing.T) {
	p, problems := scene{decls: []*resource.Declaration{decl(thingKind, "a", "image", "new")},
		objects: []*resource.Object{live(hostKind, "1", "h"), live(thingKind, "2", "a")}}.build()
	if p == nil {
		t.Fatal(problems)
	}
	order, _ := p.Graph.Order()
	if last := p.Graph.Nodes[order[len(order)-1]]; last.Change == nil || last.Change.Action != Release || len(last.Deps) == 0 {
		t.Errorf("the last is %+v", last)
	}
}

// An update that must become a replacement, to let go of what goes before its
// new arguments are known, gets another ID: what refers to that is decided
// with it, not with the old one.
func TestRedecide(t *testing.T) {
	user := live(thingKind, "2", "user", "peer", "x")
	user.Uses = []string{"1"}
	p, problems := scene{
		decls: []*resource.Declaration{
			decl(netKind, "n", "mode", "z"), decl(thingKind, "fresh", "peer", ref("net.n", "id")),
			decl(thingKind, "user", "peer", ref("thing.fresh", "addr")), decl(thingKind, "b", "home", ref("thing.user", "id")),
		},
		objects: []*resource.Object{live(netKind, "1", "n"), user, live(thingKind, "3", "b", "home", "2")},
	}.build()
	if p == nil {
		t.Fatal(problems)
	}
	want := `-/+ net.n mode:"m">"z"!
+ thing.fresh
-/+ thing.user peer:"x">(known after apply) (it must let go of what is replaced before its new arguments are known)
-/+ thing.b home:"2">(known after apply)! tentative`
	if got := text(p); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}
