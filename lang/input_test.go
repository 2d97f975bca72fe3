package lang

import (
	"context"
	"maps"
	"strings"
	"testing"

	"go.starlark.net/starlark"
)

// A session of inputs: what is typed, and what is shown, an error after "!".
func TestExecInput(t *testing.T) {
	f := newFixture(t)
	f.file("lib.star", "def twice(x): return 2 * x\n")
	f.file("broken.star", "x = (\n")
	s := NewSession(f.opts)
	vars := starlark.StringDict{}
	for i, in := range []struct{ text, want string }{
		{"x = 1", ""},
		{"x + 1", "2"},
		{"x = x + 1\nx", "2"},
		{"'text'", `"text"`},
		{"None", "None"},
		{"l = []", ""},
		{"l.append(x)\nl", "[2]"}, // nothing is frozen
		{"l.append(3)", "None"},
		{"l", "[2, 3]"},
		{"def f(): return x", ""},
		{"x = 5\nf()", "2"}, // f keeps the x that it saw
		{"def f(): return x\n\nf()", "5"},
		{"load('lib.star', 'twice')", ""},
		{"twice(x)", "10"}, // what is loaded stays
		{"y = 1\n1 // 0", "!input 15:2:1: floored division by zero"},
		{"y", "!input 16:1:1: undefined: y"}, // what fails binds nothing
		{"xx", `!input 17:1:1: undefined: xx`},
		{"twic(1)", `!input 18:1:1: undefined: twic (did you mean "twice"?)`},
		{"load('broken.star', 'x')", "!broken.star:2:1: got end of file"},
		{"load('broken.star', 'x'); nothing", "input 20:1:27: undefined: nothing"}, // all of it
		{"ip", "(known after apply: vm.m1.private_ip)"},
		{"ip == 'x'", "!input 22:1:1: vm.m1.private_ip is not known until it exists, so it cannot be compared"},
		{"if ip: pass", "!input 23:1:4: vm.m1.private_ip is not known"},
		{"secret", "(sensitive value)"},
		{"len = 3\nlen", "3"}, // a builtin may be hidden
		{"len + 1", "4"},
		{"[i for i in range(3)]", "[0, 1, 2]"},
		{"(x)(", "!input 28:"},
		{"for i in range(3): z = i\nz", "2"},
		{"", ""},
		{"# nothing", ""},
	} {
		name := "input " + itoa(i+1)
		bound, v, err := s.ExecInput(context.Background(), name, []byte(in.text), vars)
		got := ""
		switch {
		case err != nil:
			if bound != nil || v != nil {
				t.Errorf("%q fails and binds %v, %v", in.text, bound, v)
			}
			got = "!" + err.Error()
		case v != nil:
			got = Text(v)
		}
		if !strings.Contains(got, in.want) || in.want == "" && got != "" {
			t.Errorf("%s, %q: got %q, want %q", name, in.text, got, in.want)
		}
		maps.Copy(vars, bound)
	}
	for name := range vars {
		if !isIdentifier(name) {
			t.Errorf("%q is bound", name)
		}
	}
	if vars["len"] == nil || vars["print"] != nil {
		t.Errorf("bound are %v", vars.Keys())
	}
}

func itoa(i int) string { return starlark.MakeInt(i).String() }

// Every input has its own budget, and an endless one ends with the context.
func TestInputLimits(t *testing.T) {
	f := newFixture(t)
	f.opts.Limits = Limits{MaxSteps: 200_000}
	s := NewSession(f.opts)
	for range 5 {
		if _, _, err := s.ExecInput(context.Background(), "in", []byte("for i in range(20000): pass"), nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := s.ExecInput(context.Background(), "in", []byte("for i in range(2000000): pass"), nil); err == nil || !strings.Contains(err.Error(), "too many steps") {
		t.Errorf("got %v", err)
	}
	f.opts.Limits = Limits{MaxSteps: 1 << 60}
	ctx, cancel := context.WithCancel(context.Background())
	f.opts.Print = func(string) { cancel() }
	s = NewSession(f.opts)
	if _, _, err := s.ExecInput(ctx, "in", []byte("print('now')\nfor i in range(1 << 40): pass"), nil); err == nil || !strings.Contains(err.Error(), "cancelled") {
		t.Errorf("got %v", err)
	}
	if _, v, err := s.ExecInput(context.Background(), "in", []byte("1 + 1"), nil); err != nil || Text(v) != "2" {
		t.Errorf("after a cancelled input: %v, %v", v, err)
	}
}

func TestMissing(t *testing.T) {
	for text, want := range map[string]Unfinished{
		"":                              Finished,
		"x = 1":                         Finished,
		"x = [":                         GoesOn,
		"x = [1,\n 2":                   GoesOn,
		"x = (1,\n2)":                   Finished,
		"f(\"a\", ":                     GoesOn,
		"{\"a\":":                       GoesOn,
		"\"\"\"abc":                     GoesOn,
		"\"abc":                         Finished, // wrong
		"x = ":                          Finished, // wrong
		"x = 1 + \\":                    GoesOn,
		"a b":                           Finished,
		"def f(:":                       Finished,
		"if x:":                         GoesOn,
		"if x: y = 1":                   MayGoOn,
		"if x:\n  y\nelse:":             GoesOn,
		"def f():\n    return 1":        MayGoOn,
		"def f():\n    x = [":           GoesOn,
		"def f():\n  if x:":             GoesOn,
		"def f():\n  return 1\nx = f()": Finished,
		"for i in x:\n  # c":            GoesOn,
		"x = 1 # [":                     Finished,
		"a\x00b":                        Finished,
		"# only":                        Finished,
	} {
		for _, end := range []string{"", "\n"} {
			if got := Missing(text + end); got != want {
				t.Errorf("%q: got %d, want %d", text+end, got, want)
			}
		}
	}
}

func FuzzMissing(f *testing.F) {
	for _, text := range []string{"x = [", "def f():\n  \"\"\"", "if x:\n\ty", "\\", "\x00", "é = 1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if Missing(text) == MayGoOn && Parse("", []byte(text+"\n")) != nil {
			t.Errorf("%q is wrong, and may go on", text)
		}
	})
}
