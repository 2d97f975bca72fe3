package plan

import (
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/resource"
)

// small is a scene with things that use each other: web needs net and peer, api
// needs net; old and its lan are no longer declared.
func small() scene {
	web := decl(thingKind, "web", "peer", ref("thing.peer", "addr"), "home", ref("net.net", "name"))
	api := decl(thingKind, "api", "home", ref("net.net", "name"))
	lan, old := live(netKind, "n9", "lan"), live(thingKind, "t9", "old")
	old.Uses = []string{"n9"}
	return scene{
		decls:   []*resource.Declaration{decl(netKind, "net"), decl(thingKind, "peer"), web, api},
		objects: []*resource.Object{lan, old},
	}
}

// What a pattern selects, and the words for what it does not.
func TestSelection(t *testing.T) {
	all := "+ net.net, + thing.peer, + thing.web, + thing.api, - net.lan, - thing.old"
	for _, tt := range []struct {
		target, exclude string // patterns, by blanks
		want            string // steps, or ! and the error
	}{
		{"thing.web", "", "+ net.net, + thing.peer, + thing.web"},
		{"room.main/thing.api", "", "+ net.net, + thing.api"},
		{"thing.api thing.peer", "", "+ net.net, + thing.peer, + thing.api"},
		{"thing.*", "", "+ net.net, + thing.peer, + thing.web, + thing.api, - thing.old"},
		{"room.main/net.*", "", "+ net.net, - net.lan, - thing.old"},
		{"room.main", "", all},
		{"*", "", all},
		{"thing.old", "", "- thing.old"},
		{"net.lan", "", "- net.lan, - thing.old"}, // what uses it goes first
		{"", "thing.web", "+ net.net, + thing.peer, + thing.api, - net.lan, - thing.old"},
		{"", "net.net", "+ thing.peer, - net.lan, - thing.old"},
		{"", "thing.old", "+ net.net, + thing.peer, + thing.web, + thing.api"}, // which keeps what it uses
		{"", "net.lan", "+ net.net, + thing.peer, + thing.web, + thing.api, - thing.old"},
		{"", "*", ""},
		{"thing.wbe", "", `! --target thing.wbe: there is no such resource (did you mean "thing.web"?)`},
		{"", "x.y", "! --exclude x.y: there is no such resource"},
		{"thing.[", "", "! --target thing.[: there is no such resource"},
		{"thing.web", "thing.api", "! --target and --exclude exclude each other"},
	} {
		s := small()
		s.opts.Targets, s.opts.Exclude = strings.Fields(tt.target), strings.Fields(tt.exclude)
		p, problems := s.build()
		if want, fails := strings.CutPrefix(tt.want, "! "); fails {
			if p != nil || !strings.HasPrefix(problems.Error(), want) {
				t.Errorf("%s%s: got %v", tt.target, tt.exclude, problems)
			}
			continue
		}
		if p == nil {
			t.Errorf("%s%s: %v", tt.target, tt.exclude, problems)
			continue
		}
		var got []string
		for _, c := range p.Changes {
			got = append(got, c.Action.Sign()+" "+c.Address.Short())
		}
		if text := strings.Join(got, ", "); text != tt.want {
			t.Errorf("target %q, exclude %q: got %s, want %s", tt.target, tt.exclude, text, tt.want)
		}
		if len(p.Warnings) == 0 || !strings.HasPrefix(p.Warnings[len(p.Warnings)-1].Summary, "the plan is partial") {
			t.Errorf("%s%s: no warning: %v", tt.target, tt.exclude, p.Warnings)
		}
	}
}

// A short form that two scopes have is no address.
func TestSelectionIsAmbiguous(t *testing.T) {
	s := small()
	s.objects = append(s.objects, marked(live(thingKind, "t1", "other"), "shop", "room.gone/thing.web"))
	s.opts.Targets = []string{"thing.web"}
	if _, problems := s.build(); !strings.Contains(problems.Error(), "--target thing.web could be room.gone/thing.web or room.main/thing.web") {
		t.Errorf("got %v", problems)
	}
}

// What is wrong with what is left out stops nothing.
func TestSelectionLeavesErrorsOut(t *testing.T) {
	s := small()
	s.objects = append(s.objects, marked(live(thingKind, "t1", "api"), "", ""), live(diskKind, "d1", "data"))
	if p, _ := s.build(); p != nil {
		t.Fatal("there is a whole plan")
	}
	s.opts.Targets = []string{"thing.web"}
	if p, problems := s.build(); p == nil {
		t.Errorf("got %v", problems)
	}
}

// --replace makes anew what is as declared, and what cannot be without it.
func TestReplace(t *testing.T) {
	for _, tt := range []struct{ replace, want string }{
		{"thing.peer", "-/+ thing.peer (--replace)"},
		{"room.main/net.net", "-/+ net.net (--replace), -/+ thing.user (uses net.net, which is replaced)"},
		{"thing.new", "+ thing.new"},
		{"thing.per", `! --replace thing.per: no such resource is planned (did you mean "thing.peer"?)`},
		{"file.f", "! --replace file.f: a file is made anew by what is in it"},
		{"disk.d", "! room.main/disk.d: replacing it would lose what is on it"},
		{"net.ext", "! --replace net.ext: it is external"},
	} {
		user := live(thingKind, "t2", "user", "home", "net")
		user.Uses = []string{"n1"}
		ext := decl(netKind, "ext")
		ext.External = true
		s := scene{
			decls: []*resource.Declaration{decl(netKind, "net"), decl(thingKind, "peer"), decl(thingKind, "user", "home", ref("net.net", "name")),
				decl(diskKind, "d"), decl(fileKind, "f", "content", "x"), ext},
			objects: []*resource.Object{live(netKind, "n1", "net"), live(thingKind, "t1", "peer"), user, live(diskKind, "d1", "d"),
				live(fileKind, "f1", "f-x"), marked(live(netKind, "n2", "ext"), "", "")},
			key: "key",
		}
		s.objects[4].Mark.Address, s.objects[4].Mark.Hash = "room.main/file.f", "x"
		if tt.replace == "thing.new" {
			s.decls = append(s.decls, decl(thingKind, "new"))
		}
		s.opts.Replace = []string{tt.replace}
		p, problems := s.build()
		if want, fails := strings.CutPrefix(tt.want, "! "); fails {
			if p != nil || !strings.Contains(problems.Error(), want) {
				t.Errorf("%s: got %v", tt.replace, problems)
			}
			continue
		}
		if p == nil {
			t.Fatalf("%s: %v", tt.replace, problems)
		}
		var got []string
		for _, c := range p.Changes {
			if !c.Changes() {
				continue
			}
			line := c.Action.Sign() + " " + c.Address.Short()
			if c.Reason != "" {
				line += " (" + c.Reason + ")"
			}
			got = append(got, line)
		}
		if text := strings.Join(got, ", "); text != tt.want {
			t.Errorf("%s: got %s, want %s", tt.replace, text, tt.want)
		}
		if tt.replace == "thing.new" && !strings.Contains(p.Warnings.Error(), "nothing to replace: thing.new does not exist") {
			t.Errorf("the warnings are %v", p.Warnings)
		}
	}
}
