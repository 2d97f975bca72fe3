package value

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

var (
	ip  = Ref{Address: "vm.m1", Output: "ip", Type: "string"}
	tok = Ref{Address: "engine.e/swarm.main", Output: "token", Type: "string", Sensitive: true}
)

// text makes a template, as the script's + and % do.
func text(parts ...Value) Value { return Join(parts) }

func ExampleJoin() {
	url := Join([]Value{"http://", ip, ":", int64(80), "/"})
	fmt.Println(url, Known(url))

	known := Resolve(url, func(Ref) (Value, bool) { return "10.0.0.4", true })
	fmt.Println(known, Known(known))
	// Output:
	// http://${vm.m1.ip}:80/ false
	// http://10.0.0.4:80/ true
}

func TestJoin(t *testing.T) {
	tests := []struct {
		name  string
		parts []Value
		want  Value
	}{
		{"nothing", nil, ""},
		{"plain", []Value{"a", int64(1), true, 0.5, nil, "b"}, "a1true0.5b"},
		{"literals beside each other are one", []Value{"a", "b", ip, "c", "d"}, &Template{[]Value{"ab", ip, "cd"}}},
		{"a template in a template", []Value{"a", text("b", ip, "c"), "d"}, &Template{[]Value{"ab", ip, "cd"}}},
		{"a secret makes a secret", []Value{"a", Secret{"b"}}, Secret{"ab"}},
		{"an empty secret does too", []Value{"a", Secret{""}}, Secret{"a"}},
		{"a secret number", []Value{"a", Secret{int64(7)}}, Secret{"a7"}},
		{"secret text stays apart from plain", []Value{"a", int64(1), Secret{"b"}, Secret{"c"}, ip}, &Template{[]Value{"a1", Secret{"bc"}, ip}}},
		{"a wrapped reference is still one", []Value{"a", Secret{ip}}, &Template{[]Value{"a", secretly(ip)}}},
		{"a secret template hides each of its parts", []Value{"a", Secret{text("b", ip)}}, &Template{[]Value{"a", Secret{"b"}, secretly(ip)}}},
		{"a secret in a template in a secret", []Value{Secret{text("a", Secret{"b"}, ip)}}, &Template{[]Value{Secret{"ab"}, secretly(ip)}}},
		{"a secret in a secret", []Value{"a", Secret{Secret{"b"}}}, Secret{"ab"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Join(tt.parts); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %s, want %s", bare(got), bare(tt.want))
			}
		})
	}
}

func secretly(r Ref) Ref { r.Sensitive = true; return r }

// bare shows a value with its secrets, for a failing test.
func bare(v Value) string {
	switch v := v.(type) {
	case Secret:
		return "Secret(" + bare(v.V) + ")"
	case *Template:
		return "Template" + bare(List(v.Parts))
	case Struct:
		return "Struct" + bare(List(v))
	case Record:
		return v.Type + bare(List(v.Fields))
	case List:
		var parts []string
		for _, e := range v {
			parts = append(parts, bare(e))
		}
		return "[" + strings.Join(parts, " ") + "]"
	case *Map:
		var parts []string
		for _, e := range v.all() {
			parts = append(parts, e.Key+": "+bare(e.Value))
		}
		return "{" + strings.Join(parts, " ") + "}"
	case Ref:
		return fmt.Sprintf("${%s sensitive=%t}", v, v.Sensitive)
	}
	return fmt.Sprintf("%#v", v)
}

func TestResolve(t *testing.T) {
	lookup := func(r Ref) (Value, bool) {
		switch r.Output {
		case "ip":
			return "10.0.0.4", true
		case "token":
			return "s3cret", true // a handler may forget to wrap it
		}
		return nil, false
	}
	later := Ref{Address: "vm.m2", Output: "later"}
	tests := []struct {
		name     string
		in, want Value
	}{
		{"a reference", ip, "10.0.0.4"},
		{"one that is not known yet", later, later},
		{"a sensitive one is wrapped", tok, Secret{"s3cret"}},
		{"a template", text("a", ip), "a10.0.0.4"},
		{"a template with a sensitive part", text("a", tok), Secret{"as3cret"}},
		{"a template that is known in part", text(ip, "/", tok, "/", later), &Template{[]Value{"10.0.0.4/", Secret{"s3cret"}, "/", later}}},
		{"a secret reference", Secret{ip}, Secret{"10.0.0.4"}},
		{"a secret sensitive reference is wrapped once", Secret{tok}, Secret{"s3cret"}},
		{"a secret template", Secret{text("a", ip)}, Secret{"a10.0.0.4"}},
		{"a list", List{"a", ip, nil}, List{"a", "10.0.0.4", nil}},
		{"a struct", Struct{nil, ip}, Struct{nil, "10.0.0.4"}},
		{"a record", List{Record{"port", Struct{ip}}}, List{Record{"port", Struct{"10.0.0.4"}}}},
		{"a map", NewMap([]Entry{{"a", ip}, {"b", int64(1)}}), NewMap([]Entry{{"a", "10.0.0.4"}, {"b", int64(1)}})},
		{"nil", nil, nil},
		{"a nil map", (*Map)(nil), (*Map)(nil)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := bare(tt.in)
			if got := Resolve(tt.in, lookup); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %s, want %s", bare(got), bare(tt.want))
			}
			if bare(tt.in) != before {
				t.Errorf("the argument was changed to %s", bare(tt.in))
			}
		})
	}
}

// What has no references is handed back, not copied.
func TestResolveDoesNotCopy(t *testing.T) {
	list, fields := List{"a", List{"b"}}, Struct{nil, Secret{List{"x"}}}
	m := NewMap([]Entry{{"k", list}})
	none := func(Ref) (Value, bool) { return nil, false }
	if got := Resolve(list, none).(List); &got[0] != &list[0] {
		t.Error("the list was copied")
	}
	if got := Resolve(fields, none).(Struct); &got[0] != &fields[0] {
		t.Error("the struct was copied")
	}
	if got := Resolve(m, none); got != Value(m) {
		t.Error("the map was copied")
	}
}

func TestEqual(t *testing.T) {
	same := [][2]Value{
		{nil, nil},
		{"a", Secret{"a"}},
		{Secret{Secret{"a"}}, "a"},
		{List{}, List(nil)},
		{List{Secret{"a"}}, List{"a"}},
		{Struct{nil, int64(1)}, Struct{nil, int64(1)}},
		{(*Map)(nil), NewMap(nil)},
		{MapOf(map[string]string{"a": "b", "c": "d"}), NewMap([]Entry{{"c", "d"}, {"a", "b"}})},
		{ip, Ref{Address: "vm.m1", Output: "ip", Type: "string"}},
		{text("a", ip), text("a", ip)},
		{Record{"port", Struct{int64(80)}}, Record{"port", Struct{int64(80)}}},
	}
	for _, p := range same {
		if !Equal(p[0], p[1]) || !Equal(p[1], p[0]) {
			t.Errorf("%s and %s are not equal", bare(p[0]), bare(p[1]))
		}
	}
	different := []Value{
		nil, false, true, int64(0), int64(1), float64(1), "", "1", "a", List{}, List{"a"}, List{"a", "a"}, List{nil},
		Struct{}, Struct{"a"}, (*Map)(nil), NewMap([]Entry{{"a", "a"}}), NewMap([]Entry{{"a", nil}}), NewMap([]Entry{{"b", "a"}}),
		ip, tok, text("a", ip), text(ip, "a"), Record{"port", Struct{"a"}}, Record{"bind", Struct{"a"}},
	}
	for i, a := range different {
		for j, b := range different {
			if got := Equal(a, b); got != (i == j) {
				t.Errorf("Equal(%s, %s) = %t", bare(a), bare(b), got)
			}
		}
	}
}

func TestNewMap(t *testing.T) {
	m := NewMap([]Entry{{"b", "1"}, {"a", "2"}, {"b", "3"}, {"c", "4"}, {"b", "5"}, {"a", "6"}})
	if want := (List{"a", "6", "b", "5", "c", "4"}); !Equal(flat(m), want) {
		t.Errorf("got %v, want %v: sorted, and of equal keys the last", flat(m), want)
	}
	if v, ok := m.Get("b"); v != "5" || !ok {
		t.Errorf(`Get("b") = %v, %t`, v, ok)
	}
	for _, none := range []*Map{nil, NewMap(nil), MapOf(nil)} {
		if v, ok := none.Get("b"); v != nil || ok || none.Len() != 0 {
			t.Errorf("an empty map has %v, %t, length %d", v, ok, none.Len())
		}
	}
	if _, ok := m.Get("bb"); ok {
		t.Error("a key that is not there was found")
	}
}

func flat(m *Map) List {
	var out List
	for _, e := range m.all() {
		out = append(out, e.Key, e.Value)
	}
	return out
}

func TestText(t *testing.T) {
	for _, tt := range []struct {
		in   Value
		want string
	}{
		{nil, ""}, {"a b", "a b"}, {true, "true"}, {int64(-7), "-7"}, {0.25, "0.25"}, {1e21, "1e+21"},
		{Secret{"pw"}, Hidden}, {ip, "vm.m1.ip"},
		{NewMap(nil), "{}"}, {(*Map)(nil), "{}"}, {MapOf(map[string]string{"b": "2", "a": `"`}), `{"a": "\"", "b": "2"}`},
		{List{}, "[]"}, {List{"a b", true, nil, int64(1), List{0.5}}, `["a b", True, None, 1, [0.5]]`},
		{Record{"port", Struct{int64(80), "tcp"}}, `port(80, "tcp")`}, {List{Secret{"pw"}}, "[" + Hidden + "]"},
	} {
		if got := Text(tt.in); got != tt.want {
			t.Errorf("Text(%s) = %q, want %q", bare(tt.in), got, tt.want)
		}
	}
}

// However a value is printed, no secret in it is.
func TestSecretsAreNeverPrinted(t *testing.T) {
	const pw = "hunter2"
	secrets := map[string]Value{
		"alone":          Secret{pw},
		"wrapped twice":  Secret{Secret{pw}},
		"a number":       Secret{int64(77777)},
		"a whole list":   Secret{List{pw}},
		"in a template":  text("x", Secret{pw}, ip),
		"around one":     Secret{text(pw, ip)},
		"in one around":  Secret{text(Secret{pw}, ip)},
		"in a list":      List{"a", Secret{pw}},
		"in a struct":    Struct{nil, Secret{pw}},
		"in a record":    Record{"auth", Struct{Secret{pw}}},
		"in a map":       NewMap([]Entry{{"k", Secret{pw}}}).Entries,
		"deep":           List{Struct{Secret{NewMap([]Entry{{"k", pw}})}}},
		"joined":         Join([]Value{"a", Secret{pw}}),
		"joined, nested": Join([]Value{"a", Secret{text(pw, ip)}, "b"}),
	}
	for name, v := range secrets {
		t.Run(name, func(t *testing.T) {
			texts := []string{fmt.Sprint(v), fmt.Errorf("bad: %v", v).Error(), errors.Join(fmt.Errorf("%+v", v)).Error()}
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%g", "%10.3v"} {
				texts = append(texts, fmt.Sprintf(verb, v))
			}
			if s, ok := v.(fmt.Stringer); ok {
				texts = append(texts, s.String())
			}
			js, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			texts = append(texts, string(js), Text(v))
			for _, s := range texts {
				for _, leak := range []string{pw, "77777", fmt.Sprintf("%x", pw), fmt.Sprintf("%X", pw)} {
					if strings.Contains(s, leak) {
						t.Errorf("it shows in %s", s)
					}
				}
			}
		})
	}
}
