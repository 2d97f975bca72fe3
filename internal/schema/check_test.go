package schema

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/value"
)

func dict(kv ...value.Value) *value.Map {
	var out []value.Entry
	for i := 0; i < len(kv); i += 2 {
		out = append(out, value.Entry{Key: kv[i].(string), Value: kv[i+1]})
	}
	return value.NewMap(out)
}

func list(vs ...value.Value) value.List { return vs }

var (
	handle   = value.Ref{Address: "swarm.main/network.backend"}
	volume   = value.Ref{Address: "engine.e/volume.data"}
	later    = value.Ref{Address: "vm.m1", Output: "ip", Type: "string"}
	laterInt = value.Ref{Address: "vm.m1", Output: "cpus", Type: "int"}
	laterTxt = &value.Template{Parts: []value.Value{"a-", later}}
)

const second = int64(time.Second)

// What is right, and its normal form.
func TestCheck(t *testing.T) {
	tests := []struct {
		field    string
		in, want value.Value
	}{
		{"on", false, false},
		{"count", int64(9), int64(9)},
		{"level", int64(-3), int64(-3)},
		{"tiny", int64(65535), int64(65535)},
		{"ratio", 0.5, 0.5},
		{"ratio", int64(2), 2.0},
		{"name", "", ""},
		{"name", later, later},
		{"name", laterInt, laterInt},
		{"name", laterTxt, laterTxt},
		{"name", &value.Template{Parts: []value.Value{"a", "b"}}, "ab"},
		{"mode", "slow", "slow"},
		{"image", "Nginx:1", "nginx:1"},
		{"wait", int64(5), 5 * second},
		{"wait", 0.5, second / 2},
		{"wait", "1m", 60 * second},
		{"wait", "0", int64(0)},
		{"wait", laterInt, laterInt},
		{"every", int64(-1), -second},
		{"memory", int64(5), int64(5)},
		{"memory", "512m", int64(512 << 20)},
		{"memory", "1.5GiB", int64(3 << 29)},
		{"cpu", int64(2), int64(2e9)},
		{"cpu", 0.1, int64(1e8)},
		{"cpu", "0.5", int64(5e8)},
		{"perm", int64(0o600), int64(0o600)},
		{"perm", "0600", int64(0o600)},
		{"perm", "0o600", int64(0o600)},
		{"args", list("b", "a", "b"), list("b", "a", "b")},
		{"command", "sleep 5", list("sleep", "5")},
		{"command", list("sleep 5"), list("sleep 5")},
		{"caps", list("SYS", "NET", "SYS"), list("NET", "SYS")},
		{"nets", list(handle), list(value.Ref{Address: handle.Address, Output: "id", Type: "string"})},
		{"nets", list("x", "a"), list("a", "x")},
		{"labels", dict("b", "1", "a", "2"), dict("a", "2", "b", "1")},
		{"labels", dict(), (*value.Map)(nil)},
		{"labels", (*value.Map)(nil), (*value.Map)(nil)},
		{"sizes", dict("a", "1k"), dict("a", int64(1024))},
		{"port", int64(80), value.Struct{int64(80), int64(0), "tcp"}},
		{"port", "8080:80", value.Struct{int64(80), int64(8080), "tcp"}},
		{"port", dict("target", int64(80), "protocol", "udp"), value.Struct{int64(80), int64(0), "udp"}},
		{"port", value.Record{Type: "port", Fields: value.Struct{int64(80), nil, nil}}, value.Struct{int64(80), int64(0), "tcp"}},
		{"port", laterInt, value.Struct{laterInt, int64(0), "tcp"}},
		{"ports", list("2:2", int64(1), "2:2"), list(value.Struct{int64(1), int64(0), "tcp"}, value.Struct{int64(2), int64(2), "tcp"})},
		{"mounts", list("data"), list(value.Struct{"data", "data", int64(0)})},
		{"mounts", list(volume), list(value.Struct{value.Ref{Address: volume.Address, Output: "name", Type: "string"}, "data", int64(0)})},
		{"mounts", list(dict("source", "a", "target", "/b", "timeout", int64(5))), list(value.Struct{"a", "/b", 5 * second})},
		{"auth", dict(), value.Struct{"", "", nil, nil}},
		{"auth", dict("password", "pw"), value.Struct{"", value.Secret{V: "pw"}, nil, nil}},
		{"auth", (*value.Map)(nil), value.Struct{"", "", nil, nil}},
		{"password", "pw", value.Secret{V: "pw"}},
		{"password", value.Secret{V: "pw"}, value.Secret{V: "pw"}},
		{"password", value.Secret{V: value.Secret{V: "pw"}}, value.Secret{V: "pw"}},
		{"name", value.Secret{V: "pw"}, value.Secret{V: "pw"}},
		{"wait", value.Secret{V: int64(5)}, value.Secret{V: 5 * second}},
		{"holes", list("a", nil), list("a", nil)},
		{"extra", list(int64(1), dict("a", nil)), list(int64(1), dict("a", nil))},
	}
	for _, tt := range tests {
		f := schemaOf.Fields()[index(tt.field)]
		got, err := f.Check(tt.in)
		if err != nil {
			t.Errorf("%s = %s: %v", tt.field, f.Type.Format(tt.in), err)
			continue
		}
		if !value.Equal(got, tt.want) || value.Sensitive(got) != value.Sensitive(tt.want) {
			t.Errorf("%s = %s is %#v, want %#v", tt.field, f.Type.Format(tt.in), got, tt.want)
		}
	}
}

// What is wrong, and what is said about it.
func TestCheckProblems(t *testing.T) {
	tests := []struct {
		field string
		in    value.Value
		want  string
	}{
		{"on", "yes", `on: got "yes", want bool`},
		{"on", laterTxt, "on: got text, want bool"},
		{"on", later, "on: got vm.m1.ip (string), want bool"},
		{"name", nil, "name: got None, want string"},
		{"name", int64(1), "name: got int, want string"},
		{"name", list(), "name: got list, want string"},
		{"name", dict(), "name: got dict, want string"},
		{"name", handle, "name: got network.backend, want string"},
		{"name", "a\x00b", "name: text with a NUL byte"},
		{"name", value.Record{Type: "port"}, "name: got port(...), want string"},
		{"count", int64(10), "count: got 10, want 0 to 9"},
		{"count", int64(-1), "count: got -1, want 0 to 9"},
		{"count", 1.0, "count: got float, want int"},
		{"count", laterTxt, "count: got text, want int"},
		{"level", int64(-4), "level: got -4, want at least -3"},
		{"tiny", int64(-1), "tiny: got -1, want at least 0"},
		{"tiny", int64(65536), "tiny: 65536 is out of range"},
		{"ratio", math.NaN(), "ratio: got NaN, want a finite number"},
		{"ratio", math.Inf(1), "ratio: got +Inf, want a finite number"},
		{"mode", "fats", `mode: got "fats", want one of fast, slow (did you mean "fast"?)`},
		{"image", "a b", `image: "a b" has a space in it`},
		{"wait", "5", `wait: got "5", want a duration such as "10s", or a number of seconds`},
		{"wait", int64(61), "wait: got 1m1s, want at most 1m0s"},
		{"wait", int64(math.MaxInt64), "wait: 9223372036854775807 seconds is out of range"},
		{"wait", math.NaN(), "wait: NaN is out of range"},
		{"wait", true, `wait: got bool, want a duration such as "10s", or a number of seconds`},
		{"memory", "lots", `memory: got "lots", want a size such as "512m", or a number of bytes`},
		{"memory", "99999999999999999t", `memory: got "99999999999999999t", want a size such as "512m", or a number of bytes`},
		{"memory", 0.5, `memory: got float, want a size such as "512m", or a number of bytes`},
		{"cpu", int64(-1), "cpu: -1 CPUs is out of range"},
		{"cpu", -0.5, "cpu: -0.5 is out of range"},
		{"cpu", "NaN", `cpu: got "NaN", want a number of CPUs such as 0.5`},
		{"perm", "0888", `perm: got "0888", want permission bits such as 0o440 or "0440"`},
		{"perm", int64(-1), "perm: got -1, want permission bits from 0 to 0o7777"},
		{"perm", int64(0o10000), "perm: got 4096, want permission bits from 0 to 0o7777"},
		{"args", "a", `args: got "a", want list of string`},
		{"args", list("a", int64(1), nil), "args[1]: got int, want string; args[2]: got None, want string"},
		{"command", "", "command: an empty command"},
		{"caps", list("NETT"), `caps[0]: got "NETT", want one of ALL, NET, SYS (did you mean "NET"?)`},
		{"nets", list(volume), "nets[0]: got volume.data, want network or string"},
		{"labels", list(), "labels: got list, want map of string"},
		{"labels", dict("a", "1", "b", int64(1)), `labels["b"]: got int, want string`},
		{"port", int64(0), "port.target: got 0, want 1 to 65535"},
		{"port", true, "port.target: got bool, want int"},
		{"port", list(), "port.target: got list, want int"},
		{"port", "x", `port: "x" is not PUBLISHED:TARGET`},
		{"port", dict(), "port: missing argument target"},
		{"port", dict("target", int64(1), "publish", int64(1)), `port: unexpected key "publish" (did you mean "published"?)`},
		{"port", value.Record{Type: "mount"}, "port: got mount(...), want port(...) or a dict"},
		{"port", value.Struct{int64(1)}, "port: got 1 fields, want port(...) or a dict"},
		{"port", value.Record{Type: "port"}, "port: got 0 fields, want port(...) or a dict"},
		{"ports", list(int64(1), dict("target", "x")), `ports[1].target: got "x", want int`},
		{"auth", "me", `auth: got "me", want auth(...) or a dict`},
		{"auth", int64(1), "auth: got int, want auth(...) or a dict"},
		{"name", strings.Repeat("é", 50) + "\x00", "name: text with a NUL byte"},
		{"on", strings.Repeat("é", 50), `on: got "` + strings.Repeat("é", 37) + `...", want bool`},
	}
	for _, tt := range tests {
		f := schemaOf.Fields()[index(tt.field)]
		got, err := f.Check(tt.in)
		if err == nil {
			t.Errorf("%s = %s passes as %#v, want %s", tt.field, f.Type.Format(tt.in), got, tt.want)
			continue
		}
		if err.Error() != tt.want {
			t.Errorf("got  %s\nwant %s", err, tt.want)
		}
	}
}

// A problem with a sensitive value tells its type, and neither the value nor
// the keys in it.
func TestCheckHidesSensitiveValues(t *testing.T) {
	const pw = "hunter2"
	secret := func(v value.Value) value.Value { return value.Secret{V: v} }
	tests := []struct {
		field string
		in    value.Value
		want  string
	}{
		{"count", secret(pw), "count: the sensitive value (string) is not valid here"},
		{"mode", secret(pw), "mode: the sensitive value (string) is not valid here"},
		{"wait", secret(secret(pw)), "wait: the sensitive value (string) is not valid here"},
		{"level", secret(int64(-77777)), "level: the sensitive value (int) is not valid here"},
		{"args", list("a", secret(int64(1))), "args[1]: the sensitive value (int) is not valid here"},
		{"labels", secret(dict(pw, int64(1))), "labels: the sensitive value (dict) is not valid here"},
		{"port", secret(pw), "port: the sensitive value (string) is not valid here"},
		{"on", secret(true), ""},
		{"on", secret(nil), "on: got None, want bool"},
		{"password", pw + "\x00", "password: the sensitive value (string) is not valid here"},
		{"password", list(pw), "password: the sensitive value (list) is not valid here"},
		{"password", nil, "password: got None, want string"},
		{"auth", dict("password", list(pw)), "auth.password: the sensitive value (list) is not valid here"},
	}
	for _, tt := range tests {
		_, err := schemaOf.Fields()[index(tt.field)].Check(tt.in)
		switch {
		case tt.want == "" && err == nil:
		case err == nil || err.Error() != tt.want:
			t.Errorf("%s: got %v, want %s", tt.field, err, tt.want)
		}
	}
}

// All that is wrong is told, not only the first.
func TestCheckAll(t *testing.T) {
	args := make(value.Struct, len(schemaOf.Fields()))
	args[index("count")], args[index("mode")], args[index("tiny")] = int64(10), "x", int64(7)
	out, problems := schemaOf.CheckAll(args)
	want := `missing argument name; count: got 10, want 0 to 9; mode: got "x", want one of fast, slow`
	if problems.Error() != want {
		t.Errorf("got  %v\nwant %s", problems, want)
	}
	if out[index("tiny")] != int64(7) || out[index("count")] != nil {
		t.Errorf("got %v", out)
	}
}

// What is in normal form is not checked again: 5 is seconds once, and would be
// nanoseconds ever after.
func TestNormalFormIsReachedOnce(t *testing.T) {
	mounts := schemaOf.Fields()[index("mounts")]
	in := list(dict("source", later, "target", "/a", "timeout", int64(5)))
	once, err := mounts.Check(in)
	if err != nil {
		t.Fatal(err)
	}
	args := make(value.Struct, len(schemaOf.Fields()))
	args[mounts.Index] = once
	resolved, problems := schemaOf.Resolve(args, func(value.Ref) (value.Value, bool) { return "data", true })
	if problems != nil {
		t.Fatal(problems)
	}
	if want := list(value.Struct{"data", "/a", 5 * second}); !value.Equal(resolved[mounts.Index], want) {
		t.Errorf("got %s, want %s", mounts.Type.Format(resolved[mounts.Index]), mounts.Type.Format(want))
	}
	record := value.Record{Type: "mount", Fields: once.(value.List)[0].(value.Struct)}
	again, err := mounts.Check(list(record))
	if err != nil || !value.Equal(again, once) {
		t.Errorf("a record of checked fields became %s, %v", mounts.Type.Format(again), err)
	}
}
