package plan

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// A kind with a field of every sort: changed in place, replaced, merged,
// defaulted, left alone, and too new for old engines.
type thingSpec struct {
	Name   string            `star:"name,pos,local"`
	Image  string            `star:"image"`
	Mode   string            `star:"mode,replace" default:"m"`
	Size   *int64            `star:"size"`
	Labels map[string]string `star:"labels,merge"`
	Peer   string            `star:"peer"`
	Home   string            `star:"home,replace"`
	Fresh  int64             `star:"fresh" api:"1.46"`
}

type fileSpec struct {
	Name    string            `star:"name,pos,local"`
	Content string            `star:"content,writeonly,secret"`
	Labels  map[string]string `star:"labels,merge"`
}

// bookSpec is of a kind whose objects are found by their titles.
type bookSpec struct {
	Title string `star:"title,livename,local"`
	Copy  string `star:"copy" default:"1"`
}

type versions struct{ resource.Handler }

func (versions) Version(args value.Struct, key []byte) (string, string, bool) {
	if key == nil || !value.Known(args) {
		return "", "", false
	}
	c := value.Text(value.Reveal(args[1]))
	return value.Text(args[0]) + "-" + c, c, true
}

func (versions) Base(live string) string { base, _, _ := strings.Cut(live, "-"); return base }

type opens struct{ resource.Handler }

func (opens) Open(context.Context, resource.Conn, *resource.Object) (resource.Conn, error) {
	return nil, nil
}

var (
	out = []resource.Output{
		{Name: "id", Type: "string", Stable: true},
		{Name: "name", Type: "string", Arg: "name"},
		{Name: "addr", Type: "string"},
	}
	thingKind = &resource.Kind{Name: "thing", Schema: schema.Of(thingSpec{}), Out: out, Scope: "room", Rank: 20, Restarts: true}
	netKind   = &resource.Kind{Name: "net", Schema: schema.Of(thingSpec{}), Out: out, Scope: "room", Rank: 10, Busy: true, MarkFixed: true}
	fileKind  = &resource.Kind{Name: "file", Schema: schema.Of(fileSpec{}), Out: out, Scope: "room", Rank: 10, Versioned: true, Handler: versions{}}
	diskKind  = &resource.Kind{Name: "disk", Schema: schema.Of(thingSpec{}), Out: out, Scope: "room", Rank: 5, DataLoss: "what is on it"}
	boxKind   = &resource.Kind{Name: "box", Missing: func(scope string) (string, string) { return "nobody has put a box into " + scope, "" }, Schema: schema.Of(thingSpec{}), Out: out, Scope: "room", Rank: 15, MarkFixed: true, Keyless: true, Renames: true, Together: true,
		Replaces: func(_ *resource.Object, _ value.Struct, c schema.Change) bool {
			return c.Field.Name == "image" && c.After == ""
		}}
	tapeKind  = &resource.Kind{Name: "tape", Schema: schema.Of(thingSpec{}), Out: out, Scope: "room", Rank: 5, API: "1.42", DataLoss: "what is on it", Fixed: true, MarkFixed: true}
	bookKind  = &resource.Kind{Name: "book", Schema: schema.Of(bookSpec{}), Out: out, Scope: "room", Rank: 5, Unmarked: true}
	probeKind = &resource.Kind{Name: "probe", Schema: schema.Of(struct {
		Target string `star:"target,pos"`
		Name   string `star:"name,local"`
	}{}), Verify: func(context.Context, resource.Conn, *resource.Request) error { return nil }}
	partKind = &resource.Kind{Name: "part", Schema: schema.Of(thingSpec{}), Out: out, Scope: "room", Rank: 5, Keyless: true, TakesOver: true}
	roomKind = &resource.Kind{Name: "room", Schema: schema.Of(struct {
		Wall string `star:"wall,replace"`
	}{}), Out: out, Scope: "house", Opens: "room", Single: true, DataLoss: "all that is in it", Handler: opens{}}
)

// args makes checked arguments from names and values.
func args(k *resource.Kind, kv ...any) value.Struct {
	a := make(value.Struct, len(k.Schema.Fields()))
	for i := 0; i < len(kv); i += 2 {
		f, ok := k.Schema.Field(kv[i].(string))
		if !ok {
			panic("no field " + kv[i].(string))
		}
		a[f.Index] = kv[i+1]
	}
	return a
}

func decl(k *resource.Kind, name string, kv ...any) *resource.Declaration {
	a := args(k, kv...)
	given := false
	if f, ok := k.Schema.Field("name"); ok {
		if given = a[f.Index] != nil; !given {
			a[f.Index] = name
		}
	}
	return &resource.Declaration{Address: value.NewAddress("room.main", k.Name, name), Kind: k, Scope: "room.main", Args: a, NameGiven: given,
		Pos: diag.Pos{File: "x.star", Line: 3, Col: 5}}
}

// live makes a live object as its kind would observe it: every field filled.
func live(k *resource.Kind, id, name string, kv ...any) *resource.Object {
	a := k.Schema.Defaults()
	for i, v := range args(k, kv...) {
		if v != nil {
			a[i] = v
		}
	}
	if f, ok := k.Schema.Field("name"); ok {
		a[f.Index] = name
	}
	return &resource.Object{Kind: k.Name, ID: id, Name: name, Args: a, Mark: resource.Mark{Project: "shop", Address: value.NewAddress("room.main", k.Name, name)},
		Out: map[string]value.Value{"id": id, "addr": "at-" + id}}
}

func marked(o *resource.Object, project, address string) *resource.Object {
	o.Mark.Project, o.Mark.Address = project, value.Address(address)
	return o
}

func ref(address, output string) value.Ref {
	return value.Ref{Address: value.Address("room.main/" + address), Output: output, Type: "string"}
}

// called is an object that has another live name, given by somebody else.
func called(o *resource.Object, name string) *resource.Object {
	f, _ := thingKind.Schema.Field("name")
	o.Name, o.Args[f.Index] = name, name
	return o
}

// given is an object whose mark remembers the live name that it got from us.
func given(o *resource.Object, name string) *resource.Object {
	o.Mark.Name = name
	return o
}

// keyless is an object that recorded a trigger without a key.
func keyless(o *resource.Object, on string) *resource.Object {
	o.Mark.Triggers = triggerHash(value.List{on}, []byte("shop"))
	return o
}

// scene is a plan's input in short.
type scene struct {
	decls   []*resource.Declaration
	objects []*resource.Object
	moves   []resource.Move
	opts    Options
	api     string
	key     string
	ledger  map[string]resource.Mark
	status  Status

	forecaster resource.Forecaster
}

func (s scene) build() (*Plan, diag.List) {
	room := &ScopeState{Scope: &resource.Scope{Address: "room.main", Type: "room"}, Status: s.status}
	if s.status == Present {
		room.Obs = &resource.Observation{Objects: s.objects, API: s.api, Ledger: resource.Ledger{Marks: s.ledger}, Forecaster: s.forecaster}
		if s.key != "" {
			room.Obs.Ledger.HashKey = []byte(s.key)
		}
	}
	if s.status == Unreachable {
		room.Err = resource.ErrUnreachable
	}
	kinds := map[string]*resource.Kind{"thing": thingKind, "net": netKind, "file": fileKind, "disk": diskKind, "tape": tapeKind, "book": bookKind, "box": boxKind, "part": partKind, "room": roomKind, "host": hostKind, "probe": probeKind}
	return Build(Input{
		Program: &resource.Program{Project: "shop", Declarations: s.decls, Moves: s.moves},
		Scopes:  map[string]*ScopeState{"room.main": room},
		Kinds:   func(_, name string) *resource.Kind { return kinds[name] },
		Options: s.opts,
	})
}

// text shows a plan in a form that a table can hold.
func text(p *Plan) string {
	var b strings.Builder
	for _, c := range p.Changes {
		if c.Action == NoOp && c.Unsettled == "" && c.Blocked == "" {
			continue
		}
		fmt.Fprintf(&b, "%s %s", c.Action.Sign(), c.Address.Short())
		for _, f := range c.Fields {
			fmt.Fprintf(&b, " %s:%s>%s", f.Path, f.Type.Format(f.Before), f.Type.Format(f.After))
			if f.Replace {
				b.WriteString("!")
			}
		}
		if c.Reason != "" {
			fmt.Fprintf(&b, " (%s)", c.Reason)
		}
		if c.Tentative {
			b.WriteString(" tentative")
		}
		if c.Blocked != "" {
			fmt.Fprintf(&b, " BLOCKED %s", c.Blocked)
		}
		if c.Unsettled != "" {
			fmt.Fprintf(&b, " waits %s", c.Unsettled)
		}
		b.WriteString("\n")
	}
	return strings.TrimSpace(b.String())
}

func TestDecisionTable(t *testing.T) {
	hour := func(n int, o *resource.Object) *resource.Object { o.Created = time.Unix(int64(n)*3600, 0); return o }
	version := func(n int, content string) *resource.Object {
		return hour(n, marked(live(fileKind, "f"+content, "pw-"+content), "shop", "room.main/file.pw"))
	}
	secret := func(s string) value.Value { return value.Secret{V: s} }
	uses := func(o *resource.Object, ids ...string) *resource.Object { o.Uses = ids; return o }
	unsettled := func(o *resource.Object, why string, stuck bool) *resource.Object {
		o.Unsettled, o.Stuck = why, stuck
		return o
	}
	for _, tt := range []struct {
		name string
		scene
		want string // the plan, or "error: " and what its message must hold
	}{
		{"nothing there", scene{decls: []*resource.Declaration{decl(thingKind, "a", "image", "x")}}, "+ thing.a"},
		{"as declared", scene{decls: []*resource.Declaration{decl(thingKind, "a", "image", "x")},
			objects: []*resource.Object{live(thingKind, "1", "a", "image", "x")}}, ""},
		{"a field in place", scene{decls: []*resource.Declaration{decl(thingKind, "a", "image", "y")},
			objects: []*resource.Object{live(thingKind, "1", "a", "image", "x")}}, `~ thing.a image:"x">"y"`},
		{"an argument that is gone means its default", scene{decls: []*resource.Declaration{decl(thingKind, "a")},
			objects: []*resource.Object{live(thingKind, "1", "a", "image", "x")}}, `~ thing.a image:"x">""`},
		{"what was there before is taken over where it differs", scene{decls: []*resource.Declaration{decl(partKind, "a", "image", "y")},
			objects: []*resource.Object{marked(live(partKind, "1", "a", "image", "x"), "", "")}}, `~ part.a image:"x">"y"`},
		{"and left where it does not", scene{decls: []*resource.Declaration{decl(partKind, "a", "image", "x")},
			objects: []*resource.Object{marked(live(partKind, "1", "a", "image", "x"), "", "")}}, ""},
		{"and not taken away", scene{decls: []*resource.Declaration{decl(partKind, "a", "image", "x")}, opts: Options{Destroy: true},
			objects: []*resource.Object{marked(live(partKind, "1", "a", "image", "x"), "", "")}}, ""},
		{"but not from another project", scene{decls: []*resource.Declaration{decl(partKind, "a", "image", "y")},
			objects: []*resource.Object{marked(live(partKind, "1", "a", "image", "x"), "other", "x")}}, "error: belongs to project other"},
		{"what was there before and is sensitive now is not shown", scene{decls: []*resource.Declaration{decl(partKind, "a", "image", value.Secret{V: "y"})},
			objects: []*resource.Object{marked(live(partKind, "1", "a", "image", "x"), "", "")}}, `~ part.a image:(sensitive value)>(sensitive value)`},
		{"a field without a default is left alone", scene{decls: []*resource.Declaration{decl(thingKind, "a")},
			objects: []*resource.Object{live(thingKind, "1", "a", "size", int64(4))}}, ""},
		{"a field that forces replacement", scene{decls: []*resource.Declaration{decl(thingKind, "a", "mode", "n")},
			objects: []*resource.Object{live(thingKind, "1", "a")}}, `-/+ thing.a mode:"m">"n"!`},
		{"a kind that is too new", scene{decls: []*resource.Declaration{decl(tapeKind, "a")}, api: "1.41"},
			"error: a tape of a room needs engine API 1.42, this engine speaks 1.41"},
		{"a kind that is new enough", scene{decls: []*resource.Declaration{decl(tapeKind, "a")}, api: "1.42"}, "+ tape.a"},
		{"what can neither change nor be made anew", scene{decls: []*resource.Declaration{decl(tapeKind, "a", "mode", "n")}, opts: Options{AllowDataLoss: true},
			objects: []*resource.Object{live(tapeKind, "1", "a")}}, `error: a tape cannot be changed, and making it anew would lose what is on it (undo that`},
		{"the same, not known yet", scene{decls: []*resource.Declaration{decl(thingKind, "b"), decl(tapeKind, "a", "home", ref("thing.b", "addr"))},
			objects: []*resource.Object{live(tapeKind, "1", "a", "home", "x")}}, "error: a tape cannot be changed"},
		{"the same, but what can change", scene{decls: []*resource.Declaration{decl(tapeKind, "a", "image", "y")},
			objects: []*resource.Object{live(tapeKind, "1", "a", "image", "x")}}, `~ tape.a image:"x">"y"`},
		{"the same, and wanted", scene{decls: []*resource.Declaration{with(decl(tapeKind, "a"), resource.Lifecycle{ReplaceOn: value.List{"2"}})}, key: "k", opts: Options{AllowDataLoss: true},
			objects: []*resource.Object{triggered(live(tapeKind, "1", "a"))}}, "-/+ tape.a (lifecycle(replace_on) changed)"},
		{"the same, and asked for", scene{decls: []*resource.Declaration{decl(tapeKind, "a", "mode", "n")}, opts: Options{AllowDataLoss: true, Replace: []string{"tape.a"}},
			objects: []*resource.Object{live(tapeKind, "1", "a")}}, `-/+ tape.a mode:"m">"n"! (--replace)`},
		{"the same, and ignored", scene{decls: []*resource.Declaration{with(decl(tapeKind, "a", "mode", "n"), resource.Lifecycle{IgnoreChanges: []string{"mode"}})},
			objects: []*resource.Object{live(tapeKind, "1", "a")}}, ""},
		{"what carries no mark is found by its name", scene{decls: []*resource.Declaration{decl(bookKind, "a", "title", "x")},
			objects: []*resource.Object{marked(live(bookKind, "1", "x"), "", "")}}, ""},
		{"what carries no mark, changed", scene{decls: []*resource.Declaration{decl(bookKind, "a", "title", "x")},
			objects: []*resource.Object{marked(live(bookKind, "1", "x", "copy", "2"), "", "")}}, `~ book.a copy:"2">"1"`},
		{"what carries no mark, no longer declared", scene{objects: []*resource.Object{marked(live(bookKind, "1", "x"), "", "")}}, ""},
		{"what carries no mark, not there", scene{decls: []*resource.Declaration{decl(bookKind, "a", "title", "x")},
			objects: []*resource.Object{marked(live(bookKind, "1", "a"), "", "")}}, "+ book.a"},
		{"no longer declared", scene{objects: []*resource.Object{live(thingKind, "1", "a")}}, "- thing.a (no longer declared)"},
		{"a stranger's is left alone", scene{objects: []*resource.Object{marked(live(thingKind, "1", "a"), "", ""), marked(live(thingKind, "2", "b"), "other", "room.main/thing.b")}}, ""},
		{"a stranger has the name", scene{decls: []*resource.Declaration{decl(thingKind, "a")},
			objects: []*resource.Object{marked(live(thingKind, "1", "a"), "", "")}}, "error: --adopt thing.a"},
		{"another project has the name", scene{decls: []*resource.Declaration{decl(thingKind, "a")},
			objects: []*resource.Object{marked(live(thingKind, "1", "a"), "other", "x")}}, "error: belongs to project other"},
		{"adopted", scene{decls: []*resource.Declaration{decl(thingKind, "a", "image", "y")}, opts: Options{Adopt: []string{"thing.a"}},
			objects: []*resource.Object{marked(live(thingKind, "1", "a"), "", "")}}, `~ thing.a image:"">"y" (adopted)`},
		{"adopting what is not declared", scene{decls: []*resource.Declaration{decl(thingKind, "abc")}, opts: Options{Adopt: []string{"thing.abd"}}}, `error: did you mean "thing.abc"?`},
		{"our own name under another address", scene{decls: []*resource.Declaration{decl(thingKind, "b", "name", "a")},
			objects: []*resource.Object{live(thingKind, "1", "a")}}, `error: moved("thing.a", "thing.b")`},
		{"our own name under the same address elsewhere", scene{decls: []*resource.Declaration{decl(thingKind, "a")},
			objects: []*resource.Object{marked(live(thingKind, "1", "a"), "shop", "room.old/thing.a")}}, `error: moved("room.old/thing.a", "room.main/thing.a")`},
		{"moved", scene{decls: []*resource.Declaration{decl(thingKind, "b", "name", "a")}, moves: []resource.Move{{From: "room.main/thing.a", To: "room.main/thing.b"}},
			objects: []*resource.Object{live(thingKind, "1", "a")}}, "~ thing.b (moved from thing.a)"},
		{"moved, and keeps a name that is not given", scene{
			decls:   []*resource.Declaration{decl(netKind, "m"), decl(thingKind, "b", "peer", ref("net.m", "name"))},
			moves:   []resource.Move{{From: "room.main/thing.a", To: "room.main/thing.b"}, {From: "room.main/net.n", To: "room.main/net.m"}},
			objects: []*resource.Object{live(netKind, "1", "n"), live(thingKind, "2", "a", "peer", "n")}},
			"~ net.m (moved from net.n)\n~ thing.b (moved from thing.a)"},
		{"moved, and moved() is gone", scene{decls: []*resource.Declaration{decl(netKind, "m"), decl(thingKind, "b", "peer", ref("net.m", "name"))},
			objects: []*resource.Object{marked(live(netKind, "1", "n"), "shop", "room.main/net.m"), marked(live(thingKind, "2", "a", "peer", "n"), "shop", "room.main/thing.b")}}, ""},
		{"moved, and replaced: its users go by its old name", scene{decls: []*resource.Declaration{decl(thingKind, "m", "mode", "z"), decl(thingKind, "b", "peer", ref("thing.m", "name"))},
			objects: []*resource.Object{marked(live(thingKind, "1", "n"), "shop", "room.main/thing.m"), live(thingKind, "2", "b", "peer", "n")}}, `-/+ thing.m mode:"m">"z"!`},
		{"a moved version", scene{key: "k", decls: []*resource.Declaration{decl(fileKind, "key", "content", secret("two")), decl(thingKind, "b", "peer", ref("file.key", "name"))},
			moves:   []resource.Move{{From: "room.main/file.pw", To: "room.main/file.key"}},
			objects: []*resource.Object{version(1, "one"), version(2, "two"), live(thingKind, "2", "b", "peer", "pw-two")}}, "~ file.key (moved from file.pw)"},
		{"a moved version, the older one not yet", scene{key: "k", decls: []*resource.Declaration{decl(fileKind, "key", "content", secret("two"))},
			moves: []resource.Move{{From: "room.main/file.pw", To: "room.main/file.key"}},
			objects: []*resource.Object{version(1, "one"), func() *resource.Object {
				o := marked(version(2, "two"), "shop", "room.main/file.key")
				o.Mark.Hash = "two"
				return o
			}()}}, "~ file.key (moved from file.pw)"},
		{"a moved version, changed too", scene{key: "k", decls: []*resource.Declaration{decl(fileKind, "key", "content", secret("three"))},
			moves:   []resource.Move{{From: "room.main/file.pw", To: "room.main/file.key"}},
			objects: []*resource.Object{version(2, "two")}}, "+/- file.key content:none>(sensitive value)"},
		{"renamed by hand", scene{decls: []*resource.Declaration{decl(boxKind, "a"), decl(thingKind, "b", "peer", ref("box.a", "name"))},
			objects: []*resource.Object{called(live(boxKind, "1", "a"), "by-hand"), live(thingKind, "2", "b", "peer", "a")}}, `~ box.a name:"by-hand">"a"`},
		{"renamed by hand, the name was given once", scene{decls: []*resource.Declaration{decl(boxKind, "a"), decl(thingKind, "b", "peer", ref("box.a", "name"))},
			objects: []*resource.Object{given(called(live(boxKind, "1", "a"), "by-hand"), "n"), live(thingKind, "2", "b", "peer", "n")}}, `~ box.a name:"by-hand">"n"`},
		{"the name is not given any more, and kept", scene{decls: []*resource.Declaration{decl(boxKind, "a")},
			objects: []*resource.Object{given(called(live(boxKind, "1", "a"), "n"), "n")}}, ""},
		{"the name is given by the script", scene{decls: []*resource.Declaration{decl(boxKind, "a", "name", "n")},
			objects: []*resource.Object{live(boxKind, "1", "a")}}, `~ box.a name:"a">"n"`},
		{"moved, and it can be renamed", scene{decls: []*resource.Declaration{decl(boxKind, "b"), decl(thingKind, "c", "peer", ref("box.b", "name"))}, moves: []resource.Move{{From: "room.main/box.a", To: "room.main/box.b"}},
			objects: []*resource.Object{live(boxKind, "1", "a"), live(thingKind, "2", "c", "peer", "a")}}, "~ box.b (moved from box.a)"},
		{"moved, and renamed by hand since", scene{decls: []*resource.Declaration{decl(boxKind, "b"), decl(thingKind, "c", "peer", ref("box.b", "name"))},
			objects: []*resource.Object{called(live(boxKind, "1", "a"), "by-hand"), live(thingKind, "2", "c", "peer", "a")},
			ledger:  map[string]resource.Mark{"1": {Project: "shop", Address: "room.main/box.b", Name: "a"}}}, `~ box.b name:"by-hand">"a"`},
		{"moved and renamed by hand before", scene{decls: []*resource.Declaration{decl(boxKind, "b")}, moves: []resource.Move{{From: "room.main/box.a", To: "room.main/box.b"}},
			objects: []*resource.Object{called(live(boxKind, "1", "a"), "by-hand")}}, `~ box.b name:"by-hand">"a" (moved from box.a)`},
		{"renamed by hand, and replaced", scene{decls: []*resource.Declaration{decl(boxKind, "a", "mode", "z"), decl(thingKind, "b", "peer", ref("box.a", "name"))},
			objects: []*resource.Object{called(live(boxKind, "1", "a"), "by-hand"), live(thingKind, "2", "b", "peer", "a")}}, `-/+ box.a mode:"m">"z"! name:"by-hand">"a"`},
		{"what cannot be renamed keeps its name", scene{decls: []*resource.Declaration{decl(thingKind, "a")},
			objects: []*resource.Object{called(live(thingKind, "1", "a"), "other")}}, ""},
		{"moved already", scene{decls: []*resource.Declaration{decl(thingKind, "b", "name", "a")}, moves: []resource.Move{{From: "room.main/thing.a", To: "room.main/thing.b"}},
			objects: []*resource.Object{marked(live(thingKind, "1", "a"), "shop", "room.main/thing.b")}}, ""},
		{"moved what is still declared", scene{decls: []*resource.Declaration{decl(thingKind, "a"), decl(thingKind, "b")},
			moves: []resource.Move{{From: "room.main/thing.a", To: "room.main/thing.b"}}}, "error: is still declared, at x.star:3:5"},
		{"renamed", scene{decls: []*resource.Declaration{decl(thingKind, "a", "name", "z")},
			objects: []*resource.Object{live(thingKind, "1", "a")}}, `-/+ thing.a name:"a">"z"!`},
		{"a mark in the ledger wins", scene{decls: []*resource.Declaration{decl(netKind, "n")}, objects: []*resource.Object{marked(live(netKind, "1", "n"), "", "")},
			ledger: map[string]resource.Mark{"1": {Project: "shop", Address: "room.main/net.n"}}}, ""},
		{"labels: ours only", scene{decls: []*resource.Declaration{decl(thingKind, "a", "labels", value.MapOf(map[string]string{"k": "2"}))},
			objects: []*resource.Object{func() *resource.Object {
				o := live(thingKind, "1", "a", "labels", value.MapOf(map[string]string{"k": "1", "gone": "x", "theirs": "y"}))
				o.Mark.Keys = []string{"labels:k", "labels:gone"}
				return o
			}()}}, `~ thing.a labels["k"]:"1">"2" labels["gone"]:"x">none`},
		{"the scope does not exist", scene{decls: []*resource.Declaration{decl(thingKind, "a")}, status: Absent}, "+ thing.a"},
		{"the scope does not answer", scene{decls: []*resource.Declaration{decl(thingKind, "a")}, status: Unreachable}, "thing.a BLOCKED room.main is unreachable"},
		{"an output of a no-op is known", scene{decls: []*resource.Declaration{decl(thingKind, "a"), decl(thingKind, "b", "peer", ref("thing.a", "addr"))},
			objects: []*resource.Object{live(thingKind, "1", "a"), live(thingKind, "2", "b", "peer", "at-1")}}, ""},
		{"an output that an update keeps is known", scene{decls: []*resource.Declaration{decl(thingKind, "a", "image", "y"), decl(thingKind, "b", "peer", ref("thing.a", "id"))},
			objects: []*resource.Object{live(thingKind, "1", "a"), live(thingKind, "2", "b", "peer", "1")}}, `~ thing.a image:"">"y"`},
		{"an output that it does not keep is not", scene{decls: []*resource.Declaration{decl(thingKind, "a", "image", "y"), decl(thingKind, "b", "peer", ref("thing.a", "addr"))},
			objects: []*resource.Object{live(thingKind, "1", "a"), live(thingKind, "2", "b", "peer", "at-1")}}, `~ thing.a image:"">"y"` + "\n" + `~ thing.b peer:"at-1">(known after apply)`},
		{"unknown in a replace field proposes a replacement", scene{decls: []*resource.Declaration{decl(thingKind, "a", "image", "y"), decl(thingKind, "b", "home", ref("thing.a", "addr"))},
			objects: []*resource.Object{live(thingKind, "1", "a"), live(thingKind, "2", "b", "home", "at-1")}}, `~ thing.a image:"">"y"` + "\n" + `-/+ thing.b home:"at-1">(known after apply)! tentative`},
		{"an argument is known before the resource is", scene{decls: []*resource.Declaration{decl(thingKind, "a"), decl(thingKind, "b", "peer", ref("thing.a", "name"))},
			objects: []*resource.Object{live(thingKind, "2", "b", "peer", "a")}}, "+ thing.a"},
		{"a new version", scene{key: "k", decls: []*resource.Declaration{decl(fileKind, "pw", "content", secret("two")), decl(thingKind, "b", "peer", ref("file.pw", "name"))},
			objects: []*resource.Object{version(1, "one"), uses(live(thingKind, "2", "b", "peer", "pw-one"), "fone")}},
			`+/- file.pw content:none>(sensitive value)` + "\n" + `~ thing.b peer:"pw-one">"pw-two"`},
		{"back to an old version", scene{key: "k", decls: []*resource.Declaration{decl(fileKind, "pw", "content", secret("one"))},
			objects: []*resource.Object{func() *resource.Object { o := version(1, "one"); o.Mark.Hash = "one"; return o }(), version(2, "two")}}, ""},
		{"old versions: two are kept", scene{key: "k", decls: []*resource.Declaration{decl(fileKind, "pw", "content", secret("five"))},
			objects: []*resource.Object{version(1, "one"), version(2, "two"), version(3, "three"), version(4, "four")}},
			"+/- file.pw content:none>(sensitive value)\n- file.pw (old version)\n- file.pw (old version)"},
		{"old versions: not while a stranger uses them", scene{key: "k", decls: []*resource.Declaration{decl(fileKind, "pw", "content", secret("five"))},
			objects: []*resource.Object{version(1, "one"), version(2, "two"), version(3, "three"), version(4, "four"), uses(marked(live(thingKind, "9", "theirs"), "", ""), "fone")}},
			"+/- file.pw content:none>(sensitive value)\n- file.pw (old version)"},
		{"replacing what is in use replaces its users", scene{decls: []*resource.Declaration{decl(netKind, "n", "mode", "z"), decl(thingKind, "b", "peer", ref("net.n", "name"))},
			objects: []*resource.Object{live(netKind, "1", "n"), uses(live(thingKind, "2", "b", "peer", "n"), "1")}},
			`-/+ net.n mode:"m">"z"!` + "\n" + `-/+ thing.b (uses net.n, which is replaced)`},
		{"also users that name it in plain text", scene{decls: []*resource.Declaration{decl(netKind, "n", "mode", "z"), after(decl(thingKind, "b", "peer", "n"), "room.main/net.n")},
			objects: []*resource.Object{live(netKind, "1", "n"), uses(live(thingKind, "2", "b", "peer", "n"), "1")}},
			`-/+ net.n mode:"m">"z"!` + "\n" + `-/+ thing.b (uses net.n, which is replaced)`},
		{"not what only comes after it", scene{decls: []*resource.Declaration{decl(netKind, "n", "mode", "z"), after(decl(thingKind, "b"), "room.main/net.n")},
			objects: []*resource.Object{live(netKind, "1", "n"), live(thingKind, "2", "b")}}, `-/+ net.n mode:"m">"z"!`},
		{"not while a stranger uses it", scene{decls: []*resource.Declaration{decl(netKind, "n", "mode", "z")},
			objects: []*resource.Object{live(netKind, "1", "n"), uses(marked(live(thingKind, "2", "theirs"), "", ""), "1")}}, `error: not possible while thing "theirs" uses it`},
		{"nor while our own uses it, named in plain text", scene{decls: []*resource.Declaration{decl(netKind, "n", "mode", "z"), decl(thingKind, "b", "peer", "n")},
			objects: []*resource.Object{live(netKind, "1", "n"), uses(live(thingKind, "2", "b", "peer", "n"), "1")}}, `error: not possible while thing "b" uses it`},
		{"nor goes what our own uses", scene{decls: []*resource.Declaration{decl(thingKind, "b", "peer", "n")},
			objects: []*resource.Object{live(netKind, "1", "n"), uses(live(thingKind, "2", "b", "peer", "n"), "1")}}, `error: deleting it is not possible while thing "b" uses it`},
		{"but when that lets go of it", scene{decls: []*resource.Declaration{decl(thingKind, "b")},
			objects: []*resource.Object{live(netKind, "1", "n"), uses(live(thingKind, "2", "b", "peer", "n"), "1")}}, `~ thing.b peer:"n">""` + "\n- net.n (no longer declared)"},
		{"keyless: a trigger that is as it was", scene{decls: []*resource.Declaration{with(decl(boxKind, "a"), resource.Lifecycle{ReplaceOn: value.List{"1"}})},
			objects: []*resource.Object{keyless(live(boxKind, "1", "a"), "1")}}, ""},
		{"keyless: another trigger", scene{decls: []*resource.Declaration{with(decl(boxKind, "a"), resource.Lifecycle{ReplaceOn: value.List{"2"}})},
			objects: []*resource.Object{keyless(live(boxKind, "1", "a"), "1")}}, "-/+ box.a (lifecycle(replace_on) changed)"},
		{"keyless: a trigger, whatever the key", scene{key: "k", decls: []*resource.Declaration{with(decl(boxKind, "a"), resource.Lifecycle{ReplaceOn: value.List{"1"}})},
			objects: []*resource.Object{keyless(live(boxKind, "1", "a"), "1")}}, ""},
		{"keyless: a sensitive trigger", scene{decls: []*resource.Declaration{with(decl(boxKind, "a"), resource.Lifecycle{ReplaceOn: value.List{secret("1")}})}}, "error: a sensitive value would be kept as a hash"},
		{"renamed in place", scene{decls: []*resource.Declaration{decl(boxKind, "a", "name", "z")},
			objects: []*resource.Object{live(boxKind, "1", "a")}}, `~ box.a name:"a">"z"`},
		{"a change that the kind replaces", scene{decls: []*resource.Declaration{decl(boxKind, "a")},
			objects: []*resource.Object{live(boxKind, "1", "a", "image", "x")}}, `-/+ box.a image:"x">""!`},
		{"a change that it does not", scene{decls: []*resource.Declaration{decl(boxKind, "a", "image", "y")},
			objects: []*resource.Object{live(boxKind, "1", "a", "image", "x")}}, `~ box.a image:"x">"y"`},
		{"together: those of one kind, not of another", scene{
			decls:   []*resource.Declaration{decl(boxKind, "a", "mode", "z"), decl(boxKind, "b", "peer", ref("box.a", "name")), decl(thingKind, "c", "peer", ref("box.a", "name"))},
			objects: []*resource.Object{live(boxKind, "1", "a"), uses(live(boxKind, "2", "b", "peer", "a"), "1"), live(thingKind, "3", "c", "peer", "a")}},
			`-/+ box.a mode:"m">"z"!` + "\n-/+ box.b (uses box.a, which is replaced)"},
		{"data is not lost unasked", scene{objects: []*resource.Object{live(diskKind, "1", "d")}}, "error: --allow-data-loss"},
		{"data is lost when told", scene{objects: []*resource.Object{live(diskKind, "1", "d")}, opts: Options{AllowDataLoss: true}}, "- disk.d (no longer declared)"},
		{"prevent_destroy", scene{decls: []*resource.Declaration{with(decl(thingKind, "a", "mode", "n"), resource.Lifecycle{PreventDestroy: true})},
			objects: []*resource.Object{live(thingKind, "1", "a")}}, "error: forbidden by lifecycle(prevent_destroy = True)"},
		{"prevent_destroy against destroy", scene{decls: []*resource.Declaration{with(decl(thingKind, "a"), resource.Lifecycle{PreventDestroy: true})}, opts: Options{Destroy: true},
			objects: []*resource.Object{live(thingKind, "1", "a")}}, "error: forbidden by lifecycle(prevent_destroy = True)"},
		{"ignore_changes", scene{decls: []*resource.Declaration{with(decl(thingKind, "a", "image", "x", "peer", "p"), resource.Lifecycle{IgnoreChanges: []string{"image"}})},
			objects: []*resource.Object{live(thingKind, "1", "a", "image", "by hand")}}, `~ thing.a peer:"">"p"`},
		{"ignore_changes of what a version is made from", scene{key: "k", decls: []*resource.Declaration{
			with(decl(fileKind, "pw", "content", secret("three")), resource.Lifecycle{IgnoreChanges: []string{"content"}}), decl(thingKind, "b", "peer", ref("file.pw", "name"))},
			objects: []*resource.Object{version(2, "two"), version(1, "one"), live(thingKind, "2", "b", "peer", "pw-two")}}, ""},
		{"ignore_changes of what a version is made from: the rest changes", scene{key: "k", decls: []*resource.Declaration{
			with(decl(fileKind, "pw", "content", secret("three"), "labels", value.MapOf(map[string]string{"k": "1"})), resource.Lifecycle{IgnoreChanges: []string{"content"}})},
			objects: []*resource.Object{version(1, "one")}}, `~ file.pw labels["k"]:none>"1"`},
		{"ignore_changes of what a version is made from: the first", scene{key: "k", decls: []*resource.Declaration{
			with(decl(fileKind, "pw", "content", secret("one")), resource.Lifecycle{IgnoreChanges: []string{"content"}})}}, "+ file.pw"},
		{"ignore_changes of what a version is made from: another name", scene{key: "k", decls: []*resource.Declaration{
			with(decl(fileKind, "pw", "name", "key", "content", secret("two")), resource.Lifecycle{IgnoreChanges: []string{"content"}})},
			objects: []*resource.Object{version(1, "one")}}, "+/- file.pw content:none>(sensitive value)"},
		{"replace_on: first recorded", scene{key: "k", decls: []*resource.Declaration{with(decl(thingKind, "a"), resource.Lifecycle{ReplaceOn: value.List{"1"}})},
			objects: []*resource.Object{live(thingKind, "1", "a")}}, "~ thing.a"},
		{"replace_on: changed", scene{key: "k", decls: []*resource.Declaration{with(decl(thingKind, "a"), resource.Lifecycle{ReplaceOn: value.List{"2"}})},
			objects: []*resource.Object{func() *resource.Object {
				o := live(thingKind, "1", "a")
				o.Mark.Triggers = triggerHash(value.List{"1"}, []byte("k"))
				return o
			}()}}, "~ thing.a (lifecycle(replace_on) changed)"},
		{"replace_on: the same", scene{key: "k", decls: []*resource.Declaration{with(decl(thingKind, "a"), resource.Lifecycle{ReplaceOn: value.List{"1"}})},
			objects: []*resource.Object{func() *resource.Object {
				o := live(thingKind, "1", "a")
				o.Mark.Triggers = triggerHash(value.List{"1"}, []byte("k"))
				return o
			}()}}, ""},
		{"replace_on: never deletes a version first", scene{key: "k", decls: []*resource.Declaration{with(decl(fileKind, "pw", "content", secret("one")), resource.Lifecycle{ReplaceOn: value.List{"2"}})},
			objects: []*resource.Object{func() *resource.Object {
				o := version(1, "one")
				o.Mark.Hash, o.Mark.Triggers = "one", triggerHash(value.List{"1"}, []byte("k"))
				return o
			}()}}, "~ file.pw"},
		{"too new for the engine", scene{api: "1.41", decls: []*resource.Declaration{decl(thingKind, "a", "fresh", int64(1))}}, "error: fresh: needs engine API 1.46, this engine speaks 1.41"},
		{"new enough", scene{api: "1.46", decls: []*resource.Declaration{decl(thingKind, "a", "fresh", int64(1))}}, "+ thing.a"},
		{"too new, but the default", scene{api: "1.41", decls: []*resource.Declaration{decl(thingKind, "a", "fresh", int64(0))}}, "+ thing.a"},
		{"external", scene{decls: []*resource.Declaration{external(decl(thingKind, "a", "image", "y"))}, objects: []*resource.Object{marked(live(thingKind, "1", "a"), "other", "x")}}, "<= thing.a"},
		{"external that is not there", scene{decls: []*resource.Declaration{external(decl(thingKind, "a"))}}, `error: there is no thing "a"`},
		{"external that is not there, in the kind's words", scene{decls: []*resource.Declaration{external(decl(boxKind, "a"))}}, `error: nobody has put a box into room.main`},
		{"not converged yet", scene{decls: []*resource.Declaration{decl(thingKind, "a")}, objects: []*resource.Object{unsettled(live(thingKind, "1", "a"), "1/2 running", false)}}, "thing.a waits 1/2 running"},
		{"stuck", scene{decls: []*resource.Declaration{decl(thingKind, "a")}, objects: []*resource.Object{unsettled(live(thingKind, "1", "a"), "update paused", true)}}, "~ thing.a (update paused) waits update paused"},
		{"destroy", scene{opts: Options{Destroy: true}, decls: []*resource.Declaration{decl(thingKind, "a")},
			objects: []*resource.Object{live(thingKind, "1", "a"), live(netKind, "2", "n"), marked(live(thingKind, "3", "theirs"), "", "")}}, "- net.n\n- thing.a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, problems := tt.build()
			if want, isErr := strings.CutPrefix(tt.want, "error: "); isErr {
				if p != nil {
					t.Fatalf("got a plan, want an error with %q:\n%s", want, text(p))
				}
				for _, d := range problems {
					if strings.Contains(d.Error(), want) {
						return
					}
				}
				t.Fatalf("got %v, want an error with %q", problems, want)
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

// triggered has been made with other triggers than any.
func triggered(o *resource.Object) *resource.Object {
	o.Mark.Triggers = "before"
	return o
}

func with(d *resource.Declaration, l resource.Lifecycle) *resource.Declaration {
	d.Lifecycle = l
	return d
}

func after(d *resource.Declaration, a value.Address) *resource.Declaration {
	d.After = append(d.After, a)
	return d
}

func external(d *resource.Declaration) *resource.Declaration {
	d.External = true
	return d
}

// What forces a replacement is told without what is sensitive, also what it was
// before.
func TestWhatForcesHidesSecrets(t *testing.T) {
	f, _ := thingKind.Schema.Field("mode")
	for _, after := range []value.Value{value.Secret{V: "new"}, value.List{"x", value.Secret{V: "new"}}} {
		c := &Change{Kind: thingKind, Fields: []schema.Change{{Path: "mode", Field: f, Type: f.Type, Before: "old", After: after, Replace: true}}}
		if got := whatForces(c); got != "mode changed, which forces replacement" {
			t.Errorf("got %q", got)
		}
		c.Kind = tapeKind // which cannot be replaced
		if got := whatForces(c); got != "mode changed" {
			t.Errorf("got %q", got)
		}
	}
}

// The same input gives the same plan, whatever order maps are walked in.
func TestPlanIsStable(t *testing.T) {
	s := scene{key: "k", decls: []*resource.Declaration{
		decl(netKind, "n", "mode", "z"), decl(thingKind, "b", "peer", ref("net.n", "name")), decl(fileKind, "pw", "content", value.Secret{V: "x"}),
	}}
	for i := range 20 {
		s.objects = append(s.objects, live(thingKind, fmt.Sprint("t", i), fmt.Sprint("old", i)))
	}
	order := func() string {
		p, problems := s.build()
		if p == nil {
			t.Fatal(problems)
		}
		ids, _ := p.Graph.Order()
		return text(p) + fmt.Sprint(ids)
	}
	first := order()
	for range 20 {
		if got := order(); got != first {
			t.Fatalf("two plans differ:\n%s\n%s", first, got)
		}
	}
}

// What a later plan would delete or replace beyond what was shown is blocked.
func TestRestrict(t *testing.T) {
	shown, _ := scene{decls: []*resource.Declaration{decl(thingKind, "a", "image", "y")},
		objects: []*resource.Object{live(thingKind, "1", "a"), live(thingKind, "2", "old")}}.build()
	now, _ := scene{decls: []*resource.Declaration{decl(thingKind, "a", "mode", "z")},
		objects: []*resource.Object{live(thingKind, "1", "a"), live(thingKind, "2", "old"), live(thingKind, "3", "new")}}.build()
	Restrict(now, shown)
	want := `-/+ thing.a mode:"m">"z"! BLOCKED it would now be replaced
- thing.new (no longer declared) BLOCKED it would now be deleted
- thing.old (no longer declared)`
	if got := text(now); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}
