package lang

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/value"
)

// fixture is a folder of scripts and a session over it; tests read as a story.
type fixture struct {
	t       *testing.T
	dir     string
	opts    Options
	session *Session
	printed []string
	calls   []diag.Pos // of declare()
}

func newFixture(t *testing.T) *fixture {
	f := &fixture{t: t, dir: t.TempDir()}
	ref := func(output, typ string, sensitive bool) starlark.Value {
		return NewDeferred(value.Ref{Address: "vm.m1", Output: output, Type: typ, Sensitive: sensitive}, typ)
	}
	f.opts = Options{
		Root:   f.dir,
		Stdlib: fstest.MapFS{},
		Print:  func(msg string) { f.printed = append(f.printed, msg) },
		Predeclared: starlark.StringDict{
			"ip":     ref("private_ip", "string", false),
			"token":  ref("token", "string", true),
			"port":   ref("port", "int", false),
			"secret": NewDeferred(value.Secret{V: "hunter2"}, "string"),
			"show":   starlark.NewBuiltin("show", f.show),
			"declare": starlark.NewBuiltin("declare", func(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
				f.calls = append(f.calls, CallPos(thread))
				var name string
				replicas := 1
				if err := starlark.UnpackArgs("declare", args, kwargs, "name", &name, "replicas?", &replicas); err != nil {
					FromThread(thread).Report(thread, splitHint(&diag.Diagnostic{Summary: err.Error()}))
				}
				if Loading(thread) {
					return nil, errors.New("declare: not while a module is loaded")
				}
				return starlark.None, nil
			}),
		},
	}
	return f
}

// show returns what is inside a deferred value, secrets in brackets, so that
// scripts can check it.
func (f *fixture) show(_ *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	v, err := ToValue(args[0])
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case value.Ref:
		return starlark.String("${" + v.String() + "}"), nil
	case *value.Template:
		var b strings.Builder
		for _, p := range v.Parts {
			switch p := p.(type) {
			case string:
				b.WriteString(p)
			case value.Ref:
				b.WriteString("${" + p.String() + "}")
			case value.Secret:
				fmt.Fprintf(&b, "<%v>", p.V)
			}
		}
		return starlark.String(b.String()), nil
	case value.Secret:
		return starlark.String(fmt.Sprintf("<%v>", v.V)), nil
	}
	return starlark.String(fmt.Sprint(v)), nil
}

func (f *fixture) file(name, text string) {
	f.t.Helper()
	path := filepath.Join(f.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

// exec runs a file, or text if there is a newline in it, and returns the
// problems.
func (f *fixture) exec(script string) (starlark.StringDict, diag.List) {
	f.t.Helper()
	f.session = NewSession(f.opts)
	var globals starlark.StringDict
	var err error
	if strings.Contains(script, "\n") {
		globals, err = f.session.ExecSource(context.Background(), "test.star", []byte(script))
	} else {
		globals, err = f.session.ExecFile(context.Background(), script)
	}
	return globals, diag.From(err)
}

// ok runs a script that has no problems.
func (f *fixture) ok(script string) starlark.StringDict {
	f.t.Helper()
	globals, list := f.exec(script)
	if len(list) > 0 {
		f.t.Fatalf("unexpected problems:\n%v", list)
	}
	return globals
}

// fails runs a script that has exactly these problems, as file:line:col: text.
func (f *fixture) fails(script string, want ...string) diag.List {
	f.t.Helper()
	_, list := f.exec(script)
	if len(list) != len(want) {
		f.t.Fatalf("got %d problems, want %d:\n%v", len(list), len(want), list)
	}
	for i, d := range list {
		if got := d.Error(); !strings.Contains(got, want[i]) {
			f.t.Errorf("problem %d:\n got %s\nwant %s", i, got, want[i])
		}
	}
	return list
}

// TestLanguage runs the chunks in testdata.
func TestLanguage(t *testing.T) {
	files, err := filepath.Glob("testdata/*.star")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test files: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			for _, c := range readChunks(t, file) {
				f := newFixture(t)
				f.opts.Predeclared["eq"] = starlark.NewBuiltin("eq", func(_ *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
					if ok, err := starlark.Equal(args[0], args[1]); err != nil || !ok {
						return nil, fmt.Errorf("%v != %v (%v)", args[0], args[1], err)
					}
					return starlark.None, nil
				})
				_, list := f.exec(c.src + "\n")
				for _, d := range list {
					c.got(t, d.Pos.Line, fmt.Sprintf("%d: %s [%s]", d.Pos.Col, d.Error(), d.Detail))
					if strings.Contains(d.Error()+d.Detail, "hunter2") {
						t.Errorf("line %d: a secret is in the message: %s", d.Pos.Line, d)
					}
				}
				c.done(t)
			}
		})
	}
}

func TestPrintHidesSecrets(t *testing.T) {
	f := newFixture(t)
	f.ok(`
print(ip, secret, [secret], {"a": ip})
print("x" + ip, "%s:%s" % (ip, secret), type(ip))
print(struct(pw = secret))
`)
	got := strings.Join(f.printed, "\n")
	want := `(known after apply: vm.m1.private_ip) (sensitive value) [(sensitive value)] {"a": (known after apply: vm.m1.private_ip)}
(known after apply: x${vm.m1.private_ip}) (known after apply: ${vm.m1.private_ip}:(sensitive value)) deferred
struct(pw = (sensitive value))`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}
