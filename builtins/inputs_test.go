package builtins

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/value"
	"github.com/swarmscript/swarmscript/lang"
)

type run struct {
	t       *testing.T
	in      *Inputs
	session *lang.Session
	printed []string
	problem diag.List
}

func eval(t *testing.T, in *Inputs, files map[string]string) *run {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r := &run{t: t, in: in}
	r.session = lang.NewSession(lang.Options{
		Root: dir, Predeclared: in.Predeclared(),
		Print: func(msg string) { r.printed = append(r.printed, msg) },
	})
	_, err := r.session.ExecFile(context.Background(), "main.star")
	r.problem = diag.From(err)
	return r
}

func (r *run) prints(want ...string) {
	r.t.Helper()
	if len(r.problem) > 0 {
		r.t.Fatalf("unexpected problems:\n%v", r.problem)
	}
	if got := strings.Join(r.printed, "\n"); got != strings.Join(want, "\n") {
		r.t.Errorf("got:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
}

func (r *run) fails(want ...string) {
	r.t.Helper()
	if len(r.problem) != len(want) {
		r.t.Fatalf("got %d problems, want %d:\n%v", len(r.problem), len(want), r.problem)
	}
	for i, d := range r.problem {
		if !strings.Contains(d.Error(), want[i]) {
			r.t.Errorf("got  %s\nwant %s", d, want[i])
		}
		if strings.Contains(d.Error()+d.Detail, "hunter2") {
			r.t.Errorf("a secret is in the message: %s", d)
		}
	}
}

func environ(kv ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i < len(kv); i += 2 {
			if kv[i] == name {
				return kv[i+1], true
			}
		}
		return "", false
	}
}

func script(lines ...string) map[string]string {
	return map[string]string{"main.star": strings.Join(lines, "\n") + "\n"}
}

func TestEnv(t *testing.T) {
	in := &Inputs{Env: environ("A", "a", "PW", "hunter2")}
	r := eval(t, in, script(`print(env("A"), env("B", "b"), env("C", default = None), env("PW", sensitive = True), env("D", "hunter2", sensitive = True))`))
	r.prints("a b None (sensitive value) (sensitive value)")
	for _, read := range r.session.Reads() {
		if read.Sensitive && read.Digest != "" {
			t.Errorf("a sensitive input has a digest: %+v", read)
		}
	}
	eval(t, &Inputs{}, script(`x = env("A")`, `y = env("B")`)).fails("main.star:1:5: env: A is not set", "main.star:2:5: env: B is not set")
	eval(t, in, script(`x = env("A=")`)).fails("not the name of an environment variable")
	eval(t, in, script(`x = env("PW", sensitive = True) == "hunter2"`)).fails("cannot be compared")
}

func TestVar(t *testing.T) {
	parse := func(name, text string) *VarFile {
		f, err := ParseVarFile(name, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	t.Run("precedence", func(t *testing.T) {
		in := &Inputs{
			Vars:     map[string]string{"a": "flag"},
			VarFiles: []*VarFile{parse("x.toml", "a = 'toml'\nb = 'toml'\nc = 'toml'"), parse("x.json", `{"b": "json"}`)},
			Env:      environ("SWARMSCRIPT_VAR_a", "env", "SWARMSCRIPT_VAR_c", "env", "SWARMSCRIPT_VAR_d", "env"),
		}
		eval(t, in, script(`print([var(n, "default") for n in ["a", "b", "c", "d", "e"]])`)).prints(`["flag", "json", "toml", "env", "default"]`)
		if list := in.Unknown(); len(list) > 0 {
			t.Errorf("unexpected: %v", list)
		}
	})
	t.Run("types", func(t *testing.T) {
		in := &Inputs{
			Vars: map[string]string{"i": "5", "b": "true", "f": "1.5", "l": "a, b", "m": "a=1,b=2", "jl": "[1, [2]]", "jm": `{"a": {"b": null}}`, "s": "7"},
			VarFiles: []*VarFile{
				parse("x.yaml", "yi: 5\nyl: [1, two]\nym: {a: {b: 1.5}}\nys: 8\nyd: 2026-01-02\n"),
				parse("x.toml", "ti = 5\ntm.a.b = true\n[[tl]]\nx = 1\n[[tl]]\nx = 2\n"),
			},
		}
		eval(t, in, script(
			`print(var("i", 1), var("b", False), var("f", 0.5), var("l", []), var("m", {}), var("jl", type = "list"), var("jm", type = "map"), repr(var("s")))`,
			`print(var("yi", 1), var("yl", []), var("ym", {}), repr(var("ys")), var("ti", type = "int"), var("tm", {}), var("tl", []))`,
			`print(var("none", default = None), var("yd"))`,
		)).prints(
			`5 True 1.5 ["a", "b"] {"a": "1", "b": "2"} [1, [2]] {"a": {"b": None}} "7"`,
			`5 [1, "two"] {"a": {"b": 1.5}} "8" 5 {"a": {"b": True}} [{"x": 1}, {"x": 2}]`,
			`None 2026-01-02`)
	})
	t.Run("errors", func(t *testing.T) {
		in := &Inputs{Vars: map[string]string{"i": "x", "e": "stagin", "pw": "hunter2", "wrokers": "1"}}
		eval(t, in, script(
			`var("i", 1)`,
			`var("e", "staging", choices = ["staging", "production"])`,
			`var("missing")`,
			`var("pw", type = "int", sensitive = True)`,
			`var("pw", choices = ["a"], sensitive = True)`,
			`var("t", type = "strin")`,
			`var("workers", 1)`,
			`var("bad", "x", type = "int")`,
		)).fails(
			`main.star:1:1: var: i (from --var): got "x", want int`,
			`main.star:2:1: var: e (from --var): "stagin" is not one of staging, production (did you mean "staging"?)`,
			`main.star:3:1: var: missing has no value`,
			`main.star:4:1: var: pw (from --var): want int`,
			`main.star:5:1: var: pw (from --var): what was given is not one of a`,
			`main.star:6:1: var: for parameter type: got "strin", want one of string, int, float, bool, list, map (did you mean "string"?)`,
			`main.star:8:1: var: bad (from default): got "x", want int`,
		)
		list := in.Unknown()
		if len(list) != 1 || list[0].Error() != `--var: the script has no variable "wrokers" (did you mean "workers"?)` {
			t.Errorf("got %v", list)
		}
	})
}

func TestReadFile(t *testing.T) {
	files := map[string]string{
		"main.star":    "load('lib/a.star', 'f')\nprint(read_file('x.txt'), read_file('//lib/y.txt'), f())\n",
		"lib/a.star":   "def f(): return read_file('y.txt')\n",
		"x.txt":        "x",
		"lib/y.txt":    "y",
		"escape.star":  "",
		"lib/more.txt": "",
	}
	r := eval(t, &Inputs{}, files)
	r.prints("x y y")
	n := 0
	for _, read := range r.session.Reads() {
		if read.Kind == "file" {
			n++
		}
	}
	if n != 2 {
		t.Errorf("recorded %d files, want 2: %+v", n, r.session.Reads())
	}
	for path, want := range map[string]string{
		"../x": "outside the root folder", "/etc/passwd": "a path is relative", "nope": "no such file",
		"lib": "not a regular file", "@stdlib//x": "only files under the root",
	} {
		files["main.star"] = fmt.Sprintf("read_file(%q)\n", path)
		eval(t, &Inputs{}, files).fails(want)
	}
}

func TestOutput(t *testing.T) {
	in := &Inputs{Env: environ("PW", "hunter2")}
	eval(t, in, script(`output("a", [1], description = "d")`, `output("b", "x" + env("PW", sensitive = True))`)).prints()
	out := in.Outputs()
	if len(out) != 2 || !value.Equal(out[0].Value, value.List{int64(1)}) || out[0].Sensitive || !out[1].Sensitive || out[1].Pos.Line != 2 {
		t.Errorf("got %+v", out)
	}
	r := eval(t, &Inputs{}, script(`output("a", 1)`, `output("a", 2)`, `output("a b", 2)`, `output("c", print)`))
	r.fails(`main.star:2:1: output "a" is declared twice`, `main.star:3:1: output: "a b" is not a name`, "main.star:4:1: output: for parameter value")
	if len(r.problem[0].Related) != 1 || r.problem[0].Related[0].Pos.Line != 1 {
		t.Errorf("both positions are shown: %+v", r.problem[0])
	}
	files := script(`load("m.star", "x")`)
	files["m.star"] = "x = 1\noutput('a', 1)\n"
	eval(t, &Inputs{}, files).fails(`m.star:2:1: output "a" is declared while its module is loaded`)
}

func FuzzVarFile(f *testing.F) {
	f.Add("x.toml", "a = 1\n[t]\nb = [1, 'x', 1979-05-27T07:32:00Z]\n[[l]]\nx = inf\n")
	f.Add("x.json", `{"a": [1, 2.5, null, true, {"b": "c"}], "n": 1e400}`)
	f.Add("x.yaml", "a: &x [1, 2]\nb: *x\n? [c]\n: d\ne: 2026-01-01\nf: .nan\n")
	f.Add("x.yml", strings.Repeat("[", 2000))
	f.Add("x.toml", "a = "+strings.Repeat("[", 2000))
	f.Add("x.toml", "a"+strings.Repeat(".a", 20000)+" = 1")
	f.Fuzz(func(t *testing.T, name, data string) {
		start := time.Now()
		file, err := ParseVarFile(name, []byte(data))
		if took := time.Since(start); took > time.Minute {
			t.Errorf("%d bytes took %v", len(data), took)
		}
		if err != nil {
			return
		}
		for _, e := range file.Values.Entries {
			v := lang.FromValue(e.Value)
			back, err := lang.ToValue(v)
			if err != nil || !value.Equal(back, e.Value) {
				t.Errorf("%s: %v does not survive: %v, %v", e.Key, e.Value, back, err)
			}
			for _, typ := range varTypes {
				_, _ = convert(e.Value, typ)
			}
		}
	})
}
