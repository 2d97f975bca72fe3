package plan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// oracle notes what it is asked, and finds what it is told to.
type oracle struct {
	asked    []string
	findings []resource.Finding
}

func (o *oracle) Forecast(list, elsewhere []resource.Prospect) []resource.Finding {
	for _, p := range append(list, elsewhere...) {
		s := p.Title
		for _, flag := range []struct {
			set  bool
			name string
		}{{p.Changes, "changes"}, {p.Anew, "anew"}, {p.Restart, "restart"}, {p.NoWait, "no wait"}, {p.Live != nil, "live"}} {
			if flag.set {
				s += ", " + flag.name
			}
		}
		o.asked = append(o.asked, s)
	}
	return o.findings
}

// A scope is asked about all that will be in it: what stays first, strangers'
// things too, without what goes.
func TestProspects(t *testing.T) {
	patient := decl(thingKind, "new", "image", "x")
	patient.NoWait = true
	external := decl(thingKind, "theirs")
	external.External = true
	o := &oracle{findings: []resource.Finding{
		{Address: "room.main/thing.new", Diagnostic: diag.Diagnostic{Severity: diag.Warning, Summary: "small"}},
		{Address: "room.main/thing.grown", Diagnostic: diag.Diagnostic{Summary: "too large", Detail: "by far", Hint: "shrink it"}},
		{Address: "room.main/thing.unheard", Diagnostic: diag.Diagnostic{Summary: "not there"}},
	}}
	s := scene{
		decls: []*resource.Declaration{
			patient, decl(thingKind, "kept", "image", "x"), decl(thingKind, "grown", "image", "y"), decl(thingKind, "remade", "mode", "n"), external,
		},
		objects: []*resource.Object{
			live(thingKind, "1", "grown", "image", "x"), live(thingKind, "2", "kept", "image", "x"), live(thingKind, "3", "remade"), live(thingKind, "4", "gone"),
			marked(live(thingKind, "5", "theirs"), "", ""), marked(live(thingKind, "6", "db"), "other/prod", "room.x/thing.db"),
		},
		forecaster: o,
	}
	p, problems := s.build()
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"thing.kept, live", "thing.theirs, live", "thing db of other/prod, live",
		"thing.new, changes, anew, no wait", "thing.grown, changes, live", "thing.remade, changes, anew, live",
	}
	if fmt.Sprint(o.asked) != fmt.Sprint(want) {
		t.Errorf("asked about:\n  %s\nwant:\n  %s", strings.Join(o.asked, "\n  "), strings.Join(want, "\n  "))
	}
	refused := p.Refused()
	if len(refused) != 1 || refused[0].Error() != "x.star:3:5: room.main/thing.grown: too large (shrink it)" || refused[0].Detail != "by far" {
		t.Errorf("refused because of %v", refused)
	}
	found := ""
	for _, c := range p.Changes {
		for _, f := range c.Findings {
			found += c.Address.Short() + " " + f.Summary + ";"
		}
	}
	if found != "thing.new small;thing.grown too large;" {
		t.Errorf("found %s", found)
	}

	s.opts.AllowPending, o.asked = true, nil
	if _, problems := s.build(); problems.Err() != nil || !strings.Contains(strings.Join(o.asked, "\n"), "thing.grown, changes, no wait, live") {
		t.Errorf("asked about %v, %v", o.asked, problems)
	}
	s.opts, o.asked = Options{Destroy: true}, nil
	if _, problems := s.build(); problems.Err() != nil || o.asked != nil {
		t.Errorf("asked about %v, %v", o.asked, problems)
	}
}

// What is replaced or deleted, and cannot be while it is used, says what
// becomes of its users.
func TestEffectOnUsers(t *testing.T) {
	uses := func(o *resource.Object, ids ...string) *resource.Object { o.Uses = ids; return o }
	for _, tt := range []struct {
		name  string
		scene scene
		want  string
	}{
		{"they are replaced with it", scene{
			decls: []*resource.Declaration{decl(netKind, "n", "mode", "other"), decl(thingKind, "b", "peer", ref("net.n", "name")), decl(thingKind, "a", "peer", ref("net.n", "name"))},
			objects: []*resource.Object{live(netKind, "1", "n"), uses(live(thingKind, "2", "a", "peer", "n"), "1"), uses(live(thingKind, "3", "b", "peer", "n"), "1"),
				live(thingKind, "4", "gone")},
		}, "INTERRUPTED: it takes thing.a, thing.b with it"},
		{"they let go of it", scene{
			decls:   []*resource.Declaration{decl(thingKind, "a")},
			objects: []*resource.Object{live(netKind, "1", "n"), uses(live(thingKind, "2", "a", "peer", "n"), "1")},
		}, "after thing.a let go of it"},
		{"they go too", scene{objects: []*resource.Object{live(netKind, "1", "n"), uses(live(thingKind, "2", "a", "peer", "n"), "1")}}, ""},
		{"nobody", scene{objects: []*resource.Object{live(netKind, "1", "n")}}, ""},
	} {
		p, problems := tt.scene.build()
		if err := problems.Err(); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		for _, c := range p.Changes {
			if c.Kind == netKind && c.Effect != tt.want {
				t.Errorf("%s: got %q, want %q", tt.name, c.Effect, tt.want)
			}
		}
	}
}
