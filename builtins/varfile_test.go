package builtins

import (
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/value"
)

// TestVarFileText reads what the formats have types for as text, where the
// variable is text.
func TestVarFileText(t *testing.T) {
	for _, tt := range []struct{ file, data, typ, want string }{
		{"a.yaml", "s: 007\n", "string", "007"},
		{"a.yaml", "s: 0o17\n", "string", "0o17"},
		{"a.yaml", "s: 1.10\n", "string", "1.10"},
		{"a.yaml", "s: yes\n", "string", "yes"},
		{"a.yaml", "s: 2024-01-02\n", "string", "2024-01-02"},
		{"a.yaml", "s: 2024-01-02 10:00:00\n", "string", "2024-01-02 10:00:00"},
		{"a.yaml", "\ufeffs: x\n", "string", "x"},
		{"a.yaml", "s: 'it''s'\n", "string", "it's"},
		{"a.yaml", "s: 7\n", "int", "7"},
		{"a.json", `{"s": 1.10}`, "string", "1.10"},
		{"a.json", "\ufeff" + `{"s": "x"}`, "string", "x"},
		{"a.json", `{"s": 7}`, "int", "7"},
		{"a.toml", "\ufeffs = 'x'\n", "string", "x"},
	} {
		f, err := ParseVarFile(tt.file, []byte(tt.data))
		if err != nil {
			t.Errorf("%q: %v", tt.data, err)
			continue
		}
		in := &Inputs{VarFiles: []*VarFile{f}}
		v, _, ok := in.lookup("s", tt.typ)
		if !ok || value.Text(v) != tt.want {
			t.Errorf("%q as %s: got %v", tt.data, tt.typ, v)
		}
	}
	for _, tt := range []struct{ file, data string }{{"a.json", `{"s": null}`}, {"a.yaml", "s:\n"}, {"a.yaml", "s: ~\n"}} {
		f, err := ParseVarFile(tt.file, []byte(tt.data))
		if err != nil {
			t.Fatal(err)
		}
		if v, _, ok := (&Inputs{VarFiles: []*VarFile{f}}).lookup("s", "string"); ok {
			t.Errorf("%q: got %v, want nothing", tt.data, v)
		}
	}
	list, err := ParseVarFile("a.yaml", []byte("l: [2024-01-02, 7]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := list.Values.Get("l"); !value.Equal(v, value.List{"2024-01-02", int64(7)}) {
		t.Errorf("got %v", v)
	}
}

func TestVarFileRefused(t *testing.T) {
	for _, tt := range []struct{ file, data, want string }{
		{"a.yaml", "a: 1\n---\nb: 2\n", "there is a second document"},
		{"a.yaml", "a: 1\na: 2\n", "already defined"},
		{"a.json", `{"a": 1, "a": 2}`, `"a" is there twice`},
		{"a.json", `{"a": {"b": 1, "b": 2}}`, `"b" is there twice`},
		{"a.json", `{"a": 1} {}`, "there is more after the first value"},
		{"a.json", `{"a": 1`, "unexpected E"},
		{"a.json", `{"a": ` + strings.Repeat("[", 1000) + `}`, "nested more than"},
		{"a.json", ``, "unexpected E"},
	} {
		if _, err := ParseVarFile(tt.file, []byte(tt.data)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: got %v, want %s", tt.data, err, tt.want)
		}
	}
}

func TestUnknownVariables(t *testing.T) {
	in := &Inputs{
		Vars: map[string]string{"ss": "1"}, declared: map[string]bool{"s": true, "count": true},
		Environ: []string{"PATH=/bin", "SWARMSCRIPT_VAR_s=1", "SWARMSCRIPT_VAR_cuont=secret"},
	}
	list := in.Unknown()
	if len(list) != 2 || list[0].Hint != `did you mean "s"?` || list[1].Summary != `SWARMSCRIPT_VAR_cuont: the script has no variable "cuont"` ||
		list[1].Hint != `did you mean "count"?` {
		t.Errorf("got %v", list)
	}
}
