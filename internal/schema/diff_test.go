package schema

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/value"
)

func paths(changes []Change) string {
	var out []string
	for _, c := range changes {
		out = append(out, c.Path)
	}
	return strings.Join(out, " ")
}

// Nothing differs from itself, and one change shows as just that path.
func TestDiffShowsJustWhatChanged(t *testing.T) {
	// Each changes one thing of a spec. The path may depend on the spec; what
	// cannot be compared has none.
	changes := map[string]func(*everything) string{
		"name":   func(s *everything) string { s.Name += "x"; return "name" },
		"on":     func(s *everything) string { s.On = !s.On; return "on" },
		"count":  func(s *everything) string { *s.Count++; return "count" },
		"level":  func(s *everything) string { s.Level++; return "level" },
		"ratio":  func(s *everything) string { s.Ratio++; return "ratio" },
		"image":  func(s *everything) string { s.Image += "x"; return "image" },
		"wait":   func(s *everything) string { s.Wait++; return "wait" },
		"memory": func(s *everything) string { s.Memory++; return "memory" },
		"args":   func(s *everything) string { s.Args = append(s.Args, "x"); return "args" },
		"caps":   func(s *everything) string { s.Caps = []string{"SYS"}; return "caps" },
		"sizes": func(s *everything) string {
			s.Sizes = map[string]Size{"new": 1, "s0": s.Sizes["s0"] + 1}
			return "sizes"
		},
		"ports": func(s *everything) string {
			s.Ports = append(s.Ports, port{Target: 99, Protocol: "tcp"})
			return "ports"
		},
		"mount":    func(s *everything) string { s.Mounts = append(s.Mounts, mount{Target: "/m"}); return `mounts["/m"]` },
		"auth":     func(s *everything) string { s.Auth.User += "x"; return "auth.user" },
		"auth pw":  func(s *everything) string { s.Auth.Password += "x"; return "auth.password" },
		"password": func(s *everything) string { s.Password += "x"; return "password" },
		"token":    func(s *everything) string { s.Auth.Token += "x"; return "" },
		"hint":     func(s *everything) string { s.Auth.Hint += "x"; return "" },
		"content":  func(s *everything) string { s.Content += "x"; return "" },
		"note":     func(s *everything) string { s.Note += "x"; return "" },
	}
	for seed := range uint64(200) {
		spec := randomSpec(random(seed))
		live := schemaOf.Encode(spec)
		if d := schemaOf.Diff(live, live, nil); len(d) > 0 {
			t.Fatalf("seed %d: differs from itself in %s", seed, paths(d))
		}
		for name, change := range changes {
			next := randomSpec(random(seed)) // the same, sharing nothing
			want := change(&next)
			d := schemaOf.Diff(schemaOf.Encode(next), live, nil)
			switch {
			case name == "sizes":
				if len(d) == 0 || !allBelow(d, "sizes[") {
					t.Errorf("seed %d: sizes: changed %s", seed, paths(d))
				}
			case paths(d) != want:
				t.Errorf("seed %d: %s: changed %q, want %q", seed, name, paths(d), want)
			case want != "" && d[0].Replace != slices.Contains([]string{"name", "level"}, name):
				t.Errorf("seed %d: %s: replace is %t", seed, name, d[0].Replace)
			case want != "" && d[0].Secret != slices.Contains([]string{"password", "auth pw"}, name):
				t.Errorf("seed %d: %s: secret is %t", seed, name, d[0].Secret)
			}
		}
	}
}

func allBelow(d []Change, prefix string) bool {
	return !slices.ContainsFunc(d, func(c Change) bool { return !strings.HasPrefix(c.Path, prefix) })
}

// given is a declaration that gives one field.
func given(field string, v value.Value) value.Struct {
	out := make(value.Struct, len(schemaOf.Fields()))
	out[index(field)] = v
	return out
}

// defaultsBut is a live object that has all defaults but one.
func defaultsBut(field string, v value.Value) value.Struct {
	out := schemaOf.Defaults()
	out[index(field)] = v
	return out
}

func TestDiff(t *testing.T) {
	m := func(target string, timeout time.Duration) value.Value {
		return value.Struct{"src", target, int64(timeout)}
	}
	p := func(n int64) value.Value { return value.Struct{n, int64(0), "tcp"} }
	tests := []struct {
		name, field   string
		desired, live value.Value
		want          string
	}{
		{"an update", "mode", "slow", "fast", `mode: "fast" -> "slow"`},
		{"left out, owned by a default", "mode", nil, "slow", `mode: "slow" -> "fast"`},
		{"left out, left as it is", "every", nil, int64(5), ""},
		{"a replacement", "level", int64(1), int64(2), "level: 2 -> 1 (replace)"},
		{"unknown", "mode", later, "fast", `mode: "fast" -> (known after apply) (unknown)`},
		{"an empty list is none", "args", list(), nil, ""},
		{"an order in a list", "args", list("a", "b"), list("b", "a"), `args: ["b", "a"] -> ["a", "b"]`},
		{"an order in a set", "caps", list("NET", "ALL"), list("ALL", "NET"), ""},
		{"a set of structs without a key is one", "ports", list(p(1), p(2)), list(p(1)), "ports: [port(target = 1)] -> [port(target = 1), port(target = 2)]"},
		{"elements with a key, one by one", "mounts", list(m("/a", 1), m("/c", 1)), list(m("/a", 2), m("/b", 1)),
			`mounts["/a"].timeout: 2ns -> 1ns; mounts["/b"]: mount(source = "src", target = "/b", timeout = 1ns) -> none; ` +
				`mounts["/c"]: none -> mount(source = "src", target = "/c", timeout = 1ns)`},
		{"a key twice: as a whole", "mounts", list(m("/a", 1), m("/a", 2)), list(m("/a", 1)),
			`mounts: [mount(source = "src", target = "/a", timeout = 1ns)] -> ` +
				`[mount(source = "src", target = "/a", timeout = 1ns), mount(source = "src", target = "/a", timeout = 2ns)]`},
		{"keys of a map", "sizes", dict("a", int64(1), "b", int64(2)), dict("b", int64(3), "c", int64(4)),
			`sizes["a"]: none -> 1B; sizes["b"]: 3B -> 2B; sizes["c"]: 4B -> none`},
		{"a struct where there was none", "port", p(1), nil, "port: none -> port(target = 1)"},
		{"a nested secret, wrapped", "auth", value.Struct{"u", value.Secret{V: "new"}, nil, nil}, value.Struct{"u", value.Secret{V: "old"}, nil, nil},
			"auth.password: (sensitive value) -> (sensitive value) (secret)"},
		{"a nested secret, unwrapped", "auth", value.Struct{"u", "new", nil, nil}, value.Struct{"v", "old", nil, nil},
			`auth.user: "v" -> "u"; auth.password: "old" -> "new" (secret)`},
		{"a whole struct with a secret in it", "auth", value.Struct{"u", "new", nil, nil}, nil,
			`auth: none -> auth(user = "u", password = (sensitive value)) (secret)`},
		{"nested fields that cannot be read back", "auth", value.Struct{"", "", "token", "hint"}, value.Struct{"", "", nil, nil}, ""},
		{"a sensitive value in a plain field", "name", value.Secret{V: "a"}, "b", `name: "b" -> (sensitive value) (replace) (secret)`},
		{"a sensitive value that is the same", "name", value.Secret{V: "a"}, "a", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := show(schemaOf.Diff(given(tt.field, tt.desired), defaultsBut(tt.field, tt.live), nil))
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func show(changes []Change) string {
	var out []string
	for _, c := range changes {
		s := fmt.Sprintf("%s: %s -> %s", c.Path, c.Type.Format(c.Before), c.Type.Format(c.After))
		for flag, set := range map[string]bool{" (replace)": c.Replace, " (unknown)": c.Unknown} {
			if set {
				s += flag
			}
		}
		if c.Secret {
			s += " (secret)"
		}
		out = append(out, s)
	}
	return strings.Join(out, "; ")
}

// Of a merged map, only keys that we set are ours to change.
func TestDiffMerge(t *testing.T) {
	tests := []struct {
		name          string
		desired, live value.Value
		owned         []string
		want          string
	}{
		{"a key of ours", dict("a", "1"), dict("a", "2"), nil, `labels["a"]: "2" -> "1"`},
		{"a new one", dict("a", "1"), nil, nil, `labels["a"]: none -> "1"`},
		{"somebody else's", dict("a", "1"), dict("a", "1", "b", "2"), nil, ""},
		{"one that was ours", dict("a", "1"), dict("a", "1", "b", "2"), []string{"a", "b"}, `labels["b"]: "2" -> none`},
		{"one that was ours and is gone", dict("a", "1"), dict("a", "1"), []string{"b"}, ""},
		{"the last that was ours", nil, dict("b", "2"), []string{"b"}, `labels["b"]: "2" -> none`},
		{"none given, none ours", nil, dict("b", "2"), nil, ""},
		{"a value that is not known", dict("a", later), dict("a", "1"), nil, `labels["a"]: "1" -> (known after apply) (unknown)`},
		{"an empty value", dict("a", ""), nil, nil, `labels["a"]: none -> ""`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := show(schemaOf.Diff(given("labels", tt.desired), defaultsBut("labels", tt.live), map[string][]string{"labels": tt.owned}))
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// Of a merged set, only elements that we set are ours to change, and what others have
// put there stays.
func TestDiffMergedSets(t *testing.T) {
	type part struct {
		Name string `star:"name,required,key"`
		Size int    `star:"size"`
	}
	s := Of(struct {
		Parts []part            `star:"parts,set,merge"`
		Words []string          `star:"words,set,merge"`
		Tags  map[string]string `star:"tags,merge,fold"`
	}{})
	parts := func(sizes ...int64) value.Value {
		var l value.List
		for i, n := range sizes {
			l = append(l, value.Struct{string(rune('a' + i)), n})
		}
		return l
	}
	for _, c := range []struct {
		name        string
		field       int
		want, live  value.Value
		owned       []string
		diff, after string
	}{
		{"one of ours", 0, parts(2), parts(1, 1), nil, `parts["a"].size: 1 -> 2`, `[part(name = "a", size = 2), part(name = "b", size = 1)]`},
		{"one that was ours", 0, parts(1), parts(1, 1, 1), []string{"a", "b"}, `parts["b"]: part(name = "b", size = 1) -> none`, `[part(name = "a", size = 1), part(name = "c", size = 1)]`},
		{"the last that was ours", 0, nil, parts(1), []string{"a"}, `parts["a"]: part(name = "a", size = 1) -> none`, ""},
		{"somebody else's", 0, parts(1), parts(1, 1), []string{"a"}, "", `[part(name = "a", size = 1), part(name = "b", size = 1)]`},
		{"a text of ours", 1, list("a", "b"), list("a", "c"), nil, `words: ["a"] -> ["a", "b"]`, `["a", "b", "c"]`},
		{"a text that was ours", 1, list("a"), list("a", "b", "c"), []string{"a", "b"}, `words: ["a", "b"] -> ["a"]`, `["a", "c"]`},
		{"a text that is not known", 1, list("a", later), list("a"), nil, `words: ["a"] -> ["a", (known after apply)] (unknown)`, `["a", (known after apply)]`},
		{"letter case of a key", 2, dict("Cost", "1"), dict("cost", "1", "more", "x"), []string{"Cost"}, "", `{"Cost": "1", "more": "x"}`},
		{"its value", 2, dict("Cost", "2"), dict("cost", "1"), nil, `tags["Cost"]: "1" -> "2"`, `{"Cost": "2"}`},
		{"one that was ours, in letters of theirs", 2, dict(), dict("cost", "1"), []string{"Cost"}, `tags["Cost"]: "1" -> none`, `{}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			desired, live := make(value.Struct, 3), make(value.Struct, 3)
			desired[c.field], live[c.field] = c.want, c.live
			f := s.Fields()[c.field]
			if got := show(s.Diff(desired, live, map[string][]string{f.Name: c.owned})); got != c.diff {
				t.Errorf("got  %s\nwant %s", got, c.diff)
			}
			if c.after == "" {
				return
			}
			if got := f.Type.Format(f.After(c.want, c.live, c.owned)); got != c.after {
				t.Errorf("it will be %s, want %s", got, c.after)
			}
		})
	}
}

func TestFormat(t *testing.T) {
	tests := []struct {
		field string
		v     value.Value
		want  string
	}{
		{"name", nil, "none"},
		{"name", "a\n\"b\"", `"a\n\"b\""`},
		{"on", true, "true"},
		{"count", int64(3), "3"},
		{"ratio", 0.25, "0.25"},
		{"wait", int64(90 * time.Second), "1m30s"},
		{"wait", int64(0), "0s"},
		{"memory", int64(0), "0B"},
		{"memory", int64(1023), "1023B"},
		{"memory", int64(512 << 20), "512MiB"},
		{"memory", int64(512<<20 + 1), "536870913B"}, // rounded it would look unchanged
		{"memory", int64(1 << 40), "1TiB"},
		{"cpu", int64(5e8), "0.5"},
		{"cpu", int64(1), "0.000000001"},
		{"perm", int64(0o40), "0040"},
		{"perm", int64(0o4755), "04755"},
		{"args", list("a", nil), `["a", none]`},
		{"labels", dict("a", "1", "b", value.Secret{V: "x"}), `{"a": "1", "b": (sensitive value)}`},
		{"labels", (*value.Map)(nil), "{}"},
		{"port", value.Struct{int64(80), int64(0), "udp"}, `port(target = 80, protocol = "udp")`},
		{"port", value.Struct{int64(80), int64(0), "tcp"}, "port(target = 80)"},
		{"auth", value.Struct{"me", "pw", nil, nil}, `auth(user = "me", password = (sensitive value))`},
		{"name", value.Secret{V: "pw"}, "(sensitive value)"},
		{"name", later, "(known after apply)"},
		{"name", laterTxt, "(known after apply)"},
		{"name", value.Ref{Address: "swarm.main", Output: "token", Sensitive: true}, "(sensitive value)"},
		{"extra", list(int64(1), value.Struct{"x"}, value.Record{Type: "port"}), "[1, (...), port(...)]"},
	}
	for _, tt := range tests {
		if got := typeOfField(tt.field).Format(tt.v); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.field, got, tt.want)
		}
	}
}

func TestResolve(t *testing.T) {
	known := map[string]value.Value{"ip": "10.0.0.4", "cpus": int64(4), "bad": "x y", "pw": "hunter2"}
	lookup := func(r value.Ref) (value.Value, bool) { v, ok := known[r.Output]; return v, ok }
	ref := func(output string) value.Ref { return value.Ref{Address: "vm.m1", Output: output, Type: "string"} }
	secret := value.Ref{Address: "vm.m1", Output: "pw", Sensitive: true}
	tests := []struct {
		name, field string
		in, want    value.Value
		problem     string
	}{
		{"a reference", "name", ref("ip"), "10.0.0.4", ""},
		{"one that is not known yet", "name", ref("x"), ref("x"), ""},
		{"brought to normal form", "wait", laterInt, 4 * second, ""},
		{"a set is sorted again", "nets", list("9", ref("ip")), list("10.0.0.4", "9"), ""},
		{"a set of what becomes the same", "nets", list("10.0.0.4", ref("ip")), list("10.0.0.4"), ""},
		{"in a map", "labels", dict("a", ref("ip"), "b", "c"), dict("a", "10.0.0.4", "b", "c"), ""},
		{"beside a nil map", "extra", list((*value.Map)(nil), ref("ip")), list((*value.Map)(nil), "10.0.0.4"), ""},
		{"in a struct that has no schema", "extra", value.Struct{ref("ip")}, value.Struct{"10.0.0.4"}, ""},
		{"in a record that has no schema", "extra", value.Record{Type: "r", Fields: value.Struct{ref("ip")}},
			value.Record{Type: "r", Fields: value.Struct{"10.0.0.4"}}, ""},
		{"a secret field stays secret", "password", value.Secret{V: ref("ip")}, value.Secret{V: "10.0.0.4"}, ""},
		{"a sensitive output makes its field secret", "name", secret, value.Secret{V: "hunter2"}, ""},
		{"what it turns out to be is checked", "image", ref("bad"), nil, `image: "x y" has a space in it`},
		{"in a list", "args", list("a", laterInt), nil, "args[1]: got int, want string"},
		{"in a struct", "port", value.Struct{ref("ip"), nil, "tcp"}, nil, `port.target: got "10.0.0.4", want int`},
		{"a sensitive one is not quoted", "mode", secret, nil, "mode: the sensitive value (string) is not valid here"},
		{"nor a wrapped one", "mode", value.Secret{V: ref("pw")}, nil, "mode: the sensitive value (string) is not valid here"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args := given(tt.field, tt.in)
			got, problems := schemaOf.Resolve(args, lookup)
			if len(problems) > 0 || tt.problem != "" {
				if problems.Error() != tt.problem {
					t.Errorf("got  %v\nwant %s", problems, tt.problem)
				}
				return
			}
			v := got[index(tt.field)]
			if !value.Equal(v, tt.want) || value.Sensitive(v) != value.Sensitive(tt.want) {
				t.Errorf("got %#v, want %#v", v, tt.want)
			}
			if !value.Equal(args, given(tt.field, tt.in)) {
				t.Error("the argument was changed")
			}
		})
	}
	whole := schemaOf.Encode(randomSpec(random(1)))
	if got, _ := schemaOf.Resolve(whole, lookup); &got[0] != &whole[0] {
		t.Error("arguments without references were copied")
	}
}
