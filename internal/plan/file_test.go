package plan

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

func testKinds(_, name string) *resource.Kind {
	return map[string]*resource.Kind{"thing": thingKind, "net": netKind, "file": fileKind, "disk": diskKind, "room": roomKind, "probe": probeKind, "host": hostKind}[name]
}

// written builds a scene's plan, as it is in a file.
func written(t *testing.T, s scene) *Plan {
	t.Helper()
	p, problems := s.build()
	if p == nil {
		t.Fatal(problems)
	}
	w, err := Written(p, testKinds)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// A file comes back as it was written.
func TestFile(t *testing.T) {
	s := small()
	s.opts.Exclude = []string{"thing.old"}
	p, _ := s.build()
	one := "1"
	f := &File{
		Program: "1.2.3", Created: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC), Project: "shop", Script: "x.star", Dir: "/a", Chdir: true,
		Wishes: Wishes{Options: s.opts, Forget: []string{"engine.a"}}, Vars: map[string]string{"a": "b"}, Env: map[string]*string{"A": &one, "B": nil},
		VarFiles: []string{"v.toml"}, Salt: []byte{1}, Key: "k", Seals: []Seal{{"module", "x.star", "00"}}, Values: "11",
		Scopes: []FileScope{{"room.main", "room", "id"}}, Plan: p,
	}
	data, err := f.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeFile(bytes.NewReader(data), testKinds)
	if err != nil {
		t.Fatal(err)
	}
	again, err := got.Encode()
	if err != nil || !bytes.Equal(again, data) {
		t.Errorf("written again it is another file: %v", err)
	}
	got.Plan, f.Plan = nil, nil
	if !reflect.DeepEqual(got, f) {
		t.Errorf("got %+v, want %+v", got, f)
	}
	for i := range data { // whatever byte is changed
		bad := bytes.Clone(data)
		bad[i] ^= 1
		if _, err := DecodeFile(bytes.NewReader(bad), testKinds); err == nil {
			t.Fatalf("byte %d changed: there is no error", i)
		}
	}
}

// A small file that unpacks to a large one is not taken into memory.
func TestFileIsBounded(t *testing.T) {
	stream := bytes.SplitN(sealed(t, bytes.Repeat([]byte(" "), 10000)), []byte("\n"), 3)[2]
	if _, err := decodeStream(stream, 9999, testKinds); err == nil || !strings.Contains(err.Error(), "unpacks to more than 9999 bytes") {
		t.Errorf("got %v", err)
	}
	if _, err := decodeStream(stream, 10000, testKinds); err == nil || strings.Contains(err.Error(), "unpacks") {
		t.Errorf("got %v", err)
	}
}

// What is not a plan though it is sealed as one is told in a person's words.
func TestFileOfSomethingElse(t *testing.T) {
	for text, want := range map[string]string{
		`[1, 2]`:                       "is damaged: it holds no plan but: array",
		`"text"`:                       "is damaged: it holds no plan but: string",
		`{"project": 1}`:               "is damaged: project is not what a plan has there but: number",
		`{"options": {"destroy": []}}`: "is damaged: options.destroy is not what a plan has there but: array",
		`{"plan": {"changes": {}}}`:    "is damaged: plan.changes is not what a plan has there but: object",
		`{`:                            "is damaged: unexpected EOF",
	} {
		if _, err := DecodeFile(bytes.NewReader(sealed(t, []byte(text))), testKinds); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

// Each way in which a plan can differ from a saved one is said in words.
// probe declares a check after thing.web.
func probe(target string) *resource.Declaration {
	return &resource.Declaration{Address: "probe.p", Kind: probeKind, Args: value.Struct{target, "p"}, After: []value.Address{"room.main/thing.web"}}
}

func TestDifferences(t *testing.T) {
	web := func(kv ...any) *resource.Declaration { return decl(thingKind, "web", kv...) }
	was := scene{decls: []*resource.Declaration{web("image", "b")}, objects: []*resource.Object{live(thingKind, "t1", "web", "image", "a")}}
	create := scene{decls: []*resource.Declaration{web("image", "a")}}
	secret := func(content string) scene {
		return scene{decls: []*resource.Declaration{decl(fileKind, "f", "content", value.Secret{V: content})}, key: "key"}
	}
	check, elsewhere := probe("here"), probe("there")
	for _, tt := range []struct {
		name       string
		saved, now scene
		want       string
	}{
		{"the same", was, was, ""},
		{"gone", was, scene{decls: was.decls}, "thing.web: the plan would update it, and it would now be created"},
		{"done already", was, scene{decls: was.decls, objects: []*resource.Object{live(thingKind, "t1", "web", "image", "b")}},
			"thing.web: the plan would update it, which is not to be done any more"},
		{"another object", was, scene{decls: was.decls, objects: []*resource.Object{live(thingKind, "t2", "web", "image", "a")}}, "thing.web: it is another one now: t2, not t1"},
		{"live changed", was, scene{decls: was.decls, objects: []*resource.Object{live(thingKind, "t1", "web", "image", "c")}}, "thing.web: image is c now, and was a"},
		{"more differs", was, scene{decls: was.decls, objects: []*resource.Object{live(thingKind, "t1", "web", "image", "a", "mode", "x")}},
			"thing.web: the plan would update it, and it would now be replaced: image a -> b, mode x -> m"},
		{"another value", was, scene{decls: []*resource.Declaration{web("image", "z")}, objects: was.objects}, "thing.web: image would become z, and in the plan b"},
		{"newer", was, scene{decls: was.decls, objects: []*resource.Object{versioned(live(thingKind, "t1", "web", "image", "a"), 7)}},
			"thing.web: it was changed since: it has version 7 now, and had 0"},
		{"found, and moved by itself", scene{decls: []*resource.Declaration{decl(hostKind, "h", "use", "b")}, objects: []*resource.Object{live(hostKind, "h1", "h", "use", "a")}},
			scene{decls: []*resource.Declaration{decl(hostKind, "h", "use", "b")}, objects: []*resource.Object{versioned(live(hostKind, "h1", "h", "use", "a"), 7)}}, ""},
		{"found, and changed", scene{decls: []*resource.Declaration{decl(hostKind, "h", "use", "b")}, objects: []*resource.Object{live(hostKind, "h1", "h", "use", "a")}},
			scene{decls: []*resource.Declaration{decl(hostKind, "h", "use", "b")}, objects: []*resource.Object{versioned(live(hostKind, "h1", "h", "use", "a", "labels", labels("x", "y")), 7)}},
			"host.h: it was changed since"},
		{"still converging", scene{decls: was.decls, objects: []*resource.Object{unsettled(live(thingKind, "t1", "web", "image", "a"))}},
			scene{decls: was.decls, objects: []*resource.Object{versioned(live(thingKind, "t1", "web", "image", "a"), 7)}}, ""},
		{"changed while it converged", scene{decls: was.decls, objects: []*resource.Object{unsettled(live(thingKind, "t1", "web", "image", "a"))}},
			scene{decls: was.decls, objects: []*resource.Object{versioned(live(thingKind, "t1", "web", "image", "a", "labels", value.MapOf(map[string]string{"x": "y"})), 7)}},
			"thing.web: it was changed since, while it converged"},
		{"one more", was, scene{decls: was.decls, objects: append([]*resource.Object{live(diskKind, "d", "x")}, was.objects...), opts: Options{AllowDataLoss: true}},
			"disk.x: the plan leaves it as it is, and it would now be deleted: no longer declared"},
		{"one less", create, scene{}, "thing.web: the plan would create it, which is not to be done any more"},
		{"made otherwise", create, scene{decls: []*resource.Declaration{web("image", "b", "peer", "p")}}, "thing.web: image would be b, and in the plan it is a"},
		{"secret content", secret("one"), secret("two"), `file.f: its content is another one: version "f-two", in the plan "f-one"`},
		{"a check more", was, scene{decls: append(slices.Clone(was.decls), check), objects: was.objects}, "probe.p: the plan leaves it as it is, and it would now be checked: after thing.web"},
		{"a check less", scene{decls: append(slices.Clone(was.decls), check), objects: was.objects}, was, "probe.p: the plan would check it, which is not to be done any more"},
		{"the same check", scene{decls: append(slices.Clone(was.decls), check), objects: was.objects}, scene{decls: append(slices.Clone(was.decls), check), objects: was.objects}, ""},
		{"a check of something else", scene{decls: append(slices.Clone(was.decls), check), objects: was.objects}, scene{decls: append(slices.Clone(was.decls), elsewhere), objects: was.objects},
			"probe.p: target would be there, and in the plan it is here"},
		{"a stranger", was, scene{decls: was.decls, objects: append([]*resource.Object{marked(live(thingKind, "t9", "theirs"), "", "")}, was.objects...)}, ""},
	} {
		got := strings.ReplaceAll(strings.Join(Differences(written(t, tt.saved), written(t, tt.now), true, false), "\n"), `"`, "")
		if want := strings.ReplaceAll(tt.want, `"`, ""); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

// Where what was read may be a password, no value is told.
func TestHiddenDifferences(t *testing.T) {
	web := func(kv ...any) *resource.Declaration { return decl(thingKind, "web", kv...) }
	objects := []*resource.Object{live(thingKind, "t1", "web", "image", "before-word", "mode", "m")}
	made := func(image string) scene { return scene{decls: []*resource.Declaration{web("image", image)}} }
	changed := func(image string) scene { s := made(image); s.objects = objects; return s }
	for _, tt := range []struct {
		saved, now scene
		want       string
	}{
		{made("one-word"), made("two-word"), "thing.web: image is another one"},
		{changed("one-word"), changed("two-word"), "thing.web: image is another one"},
		{made("one-word"), changed("two-word"), "thing.web: the plan would create it, and it would now be updated: image (sensitive value)"},
	} {
		got := strings.Join(Differences(written(t, tt.saved), written(t, tt.now), true, true), "\n")
		if got != tt.want || strings.Contains(got, "-word") {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

// There is a word for whatever a step does.
func TestVerbs(t *testing.T) {
	for a := range Action(len(actionWords)) {
		if verbs[a] == "" || done(a) == "" {
			t.Errorf("%s has none", a)
		}
	}
	if len(verbs) != len(actionWords) {
		t.Errorf("there are %d verbs for %d actions", len(verbs), len(actionWords))
	}
}

func versioned(o *resource.Object, v uint64) *resource.Object { o.Version = v; return o }

func unsettled(o *resource.Object) *resource.Object { o.Unsettled = "1/2"; return o }

// Under the lease there is a key: what was unknown may be known then, and what
// only that asked for may not be needed. Nothing else may differ.
func TestDifferencesUnderLease(t *testing.T) {
	file := decl(fileKind, "f", "content", value.Secret{V: "x"})
	user := decl(thingKind, "web", "image", "a", "peer", ref("file.f", "name"))
	before := scene{decls: []*resource.Declaration{file, user}, objects: []*resource.Object{live(thingKind, "t1", "web", "image", "a", "peer", "f-x")}}
	after := before
	after.key = "key"
	saved, now := written(t, before), written(t, after)
	if got := Differences(saved, now, false, false); len(got) > 0 {
		t.Errorf("got %q", got)
	}
	if got := Differences(saved, now, true, false); len(got) == 0 {
		t.Error("nothing differs where everything has to be the same")
	}
	after.objects = []*resource.Object{live(thingKind, "t1", "web", "image", "b", "peer", "f-x")}
	if got := Differences(saved, written(t, after), false, false); len(got) == 0 {
		t.Error("a change by hand is not seen")
	}
}

// Whatever a file says, reading it is an error or a plan that can be looked at.
func FuzzDecodeFile(f *testing.F) {
	s := small()
	s.decls = append(s.decls, decl(fileKind, "f", "content", value.Secret{V: "x"}, "labels", value.MapOf(map[string]string{"a": "b"})))
	s.objects = append(s.objects, live(thingKind, "t7", "peer", "image", "x"))
	p, problems := s.build()
	if p == nil {
		f.Fatal(problems)
	}
	data, err := (&File{Plan: p}).Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(unzipped(f, data))
	f.Add([]byte(`{"plan":{"changes":[{"kind":"thing","in":"room","action":"create","args":{"s":[1]}}]}}`))
	f.Add([]byte(`{"plan":{"changes":[{"kind":"thing","in":"room","action":"update","fields":[{"path":"labels[\"a\"]","after":{"x":true}}]}],"nodes":[{"change":0,"deps":[0]}]}}`))
	f.Add([]byte(`{"plan":{"outputs":[{"name":"a","value":{"t":["a",{"r":{"Address":1}}]}}],"warnings":[null]}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		_, _ = DecodeFile(bytes.NewReader(text), testKinds)
		got, err := DecodeFile(bytes.NewReader(sealed(t, text)), testKinds)
		if err != nil {
			return
		}
		if _, err := got.Encode(); err != nil && !strings.Contains(err.Error(), "year outside") {
			t.Errorf("what was read cannot be written: %v", err)
		}
		_ = Differences(got.Plan, got.Plan, true, false)
		for _, c := range got.Plan.Changes {
			for _, f := range c.Fields {
				_ = f.Type.Format(f.Before) + f.Type.Format(f.After)
			}
		}
	})
}

// A place in the arguments has the type that the comparison said.
func TestTypeAt(t *testing.T) {
	type inner struct {
		Name string   `star:"name,key"`
		Ms   []string `star:"ms"`
	}
	type outer struct {
		Labels map[string]string           `star:"labels,merge"`
		List   []inner                     `star:"list,set"`
		One    inner                       `star:"one" default:"{}"`
		Deep   map[string]map[string]inner `star:"deep"`
	}
	s := schema.Of(outer{})
	for path, want := range map[string]string{
		"labels": "map of string", `labels["a.b[c]\"]"]`: "string", "list": "set of inner", `list["x"]`: "inner", "list[0].name": "string",
		"one.ms": "list of string", "one.ms[1]": "string", `deep["a"]["b"].ms`: "list of string",
		"none": "", "one.none": "", "labels.x": "", "list[": "", `one["a"`: "", "one.name.x": "", "": "", "labels[0][1]": "",
	} {
		_, got := s.TypeAt(path)
		name := ""
		if got != nil {
			name = got.Name()
		}
		if name != want {
			t.Errorf("%s: got %q, want %q", path, name, want)
		}
	}
}

// sealed makes a file of JSON, with a digest that is right.
func sealed(t *testing.T, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	first := magic + fileFormat + "\n"
	return fmt.Appendf(nil, "%ssha256 %s\n%s", first, fileSum(first, b.Bytes()), b.Bytes())
}

// unzipped is the JSON of a file.
func unzipped(t testing.TB, data []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(bytes.SplitN(data, []byte("\n"), 3)[2]))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
