package lang

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
)

func TestLoad(t *testing.T) {
	f := newFixture(t)
	f.opts.Stdlib = fstest.MapFS{
		"host.star":     {Data: []byte("load('sub/deep.star', 'deep')\nload('//sub/deep.star', also = 'deep')\ndef hardened(): return deep\n")},
		"sub/deep.star": {Data: []byte("deep = 'deep'\nprint('deep runs')\n")},
	}
	f.file("main.star", `
load("@stdlib//host.star", "hardened")
load("//lib/a.star", "a")
load("lib/b.star", "b")
x = [a, b, hardened()]
`)
	f.file("lib/a.star", "load('b.star', 'b')\nprint('a runs')\na = b + 1\n")
	f.file("lib/b.star", "print('b runs')\nb = 1\n")
	globals := f.ok("main.star")
	if got := globals["x"].String(); got != `[2, 1, "deep"]` {
		t.Errorf("got %s", got)
	}
	if want := []string{"deep runs", "b runs", "a runs"}; !reflect.DeepEqual(f.printed, want) {
		t.Errorf("each module runs once, when it is loaded: got %q, want %q", f.printed, want)
	}
	var read []string
	for _, r := range f.session.Reads() {
		if r.Kind != "module" || len(r.Digest) != 64 {
			t.Errorf("unexpected record %+v", r)
		}
		read = append(read, r.Name)
	}
	want := []string{"main.star", "@stdlib//host.star", "@stdlib//sub/deep.star", "lib/a.star", "lib/b.star"}
	if !reflect.DeepEqual(read, want) {
		t.Errorf("got %q, want %q", read, want)
	}
}

func TestLoadErrors(t *testing.T) {
	for _, test := range []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{"cycle", map[string]string{
			"main.star": "load('a.star', 'x')\n",
			"a.star":    "\n\nload('b.star', 'x')\n",
			"b.star":    "load('a.star', 'x')\n",
		}, []string{"b.star:1:6: modules load each other: a.star:3 -> b.star:1 -> a.star"}},
		{"itself", map[string]string{"main.star": "load('main.star', 'x')\n"},
			[]string{"main.star:1:6: modules load each other: main.star:1 -> main.star"}},
		{"missing file", map[string]string{"main.star": "load('a.star', 'x')\nload('b.star', 'y')\n"},
			[]string{`main.star:1:6: cannot load "a.star": a.star: no such file`, `main.star:2:6: cannot load "b.star": b.star: no such file`}},
		{"missing symbol", map[string]string{"main.star": "load('a.star', 'hardend')\n", "a.star": "def hardened(): pass\n"},
			[]string{`main.star:1:17: load: name hardend not found in module a.star (did you mean "hardened"?)`}},
		{"missing symbol beside another error", map[string]string{"main.star": "load('a.star', x = 'hardend')\nboom\n", "a.star": "def hardened(): pass\n"},
			[]string{`main.star:1:21: load: name hardend not found in module a.star (did you mean "hardened"?)`, "main.star:2:1: undefined: boom"}},
		{"missing symbol of a module that does not resolve", map[string]string{"main.star": "load('a.star', 'y', 'z')\n", "a.star": "y = nowt\n"},
			[]string{"a.star:1:5: undefined: nowt", "main.star:1:22: load: name z not found in module a.star"}},
		{"NUL", map[string]string{"main.star": "load('a.star', 'y')\n", "a.star": "# ok\ny = 'ä'\x00\nz = 1\n"},
			[]string{"a.star:2:8: the file holds a NUL byte"}},
		{"byte order mark", map[string]string{"main.star": "load('a.star', 'y')\n", "a.star": "\ufeffy = 1\n"},
			[]string{"a.star:1:1: the file begins with a byte order mark: save it as UTF-8 without one"}},
		{"missing stdlib", map[string]string{"main.star": "load('@stdlib//hots.star', 'x')\n"},
			[]string{`main.star:1:6: cannot load "@stdlib//hots.star": @stdlib//hots.star: no such file (did you mean "@stdlib//host.star"?)`}},
		{"package", map[string]string{"main.star": "load('@other//x.star', 'x')\n"}, []string{"there is no package @other"}},
		{"dots", map[string]string{"main.star": "load('../x.star', 'x')\n"}, []string{`main.star:1:6: cannot load "../x.star": ../x.star is outside the root folder`}},
		{"root dots", map[string]string{"main.star": "load('//a/../../x.star', 'x')\n"}, []string{"outside the root folder"}},
		{"absolute", map[string]string{"main.star": "load('/etc/passwd', 'x')\n"}, []string{"a module is named"}},
		{"many", map[string]string{
			"main.star": "load('a.star', 'x')\nload('b.star', 'y')\nboom\nbang\n",
			"a.star":    "x = \n",
			"b.star":    "y = nothing\nz = nowt\n",
		}, []string{"a.star:1:5: got newline, want primary expression", "b.star:1:5: undefined: nothing", "b.star:2:5: undefined: nowt", "main.star:3:1: undefined: boom", "main.star:4:1: undefined: bang"}},
		{"declares", map[string]string{"main.star": "load('a.star', 'x')\n", "a.star": "x = 1\ndeclare('web')\n"},
			[]string{"a.star:2:1: declare: not while a module is loaded"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.opts.Stdlib = fstest.MapFS{"host.star": {Data: []byte("x = 1\n")}}
			for name, text := range test.files {
				f.file(name, text)
			}
			f.fails("main.star", test.want...)
		})
	}
}

func TestRootHolds(t *testing.T) {
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "x.star"), []byte("x = 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	f := newFixture(t)
	f.file("in/x.star", "x = 1\n")
	link := func(to, name string) {
		if err := os.Symlink(to, filepath.Join(f.dir, name)); err != nil {
			t.Skip(err)
		}
	}
	link(outside, "dir")
	link(filepath.Join(outside, "x.star"), "file.star")
	link(filepath.Join(f.dir, "in"), "inside")
	f.file("a.star", "load('dir/x.star', 'x')\n")
	f.file("b.star", "load('file.star', 'x')\n")
	f.file("c.star", "load('inside/x.star', 'x')\n")
	f.fails("a.star", "is a link to outside the root folder")
	f.fails("b.star", "is a link to outside the root folder")
	f.ok("c.star")
	f.fails(filepath.Join(outside, "x.star"), "x.star is outside the root folder")
	f.fails("in", "is not a regular file")
	f.ok(filepath.Join(f.dir, "c.star"))
}

func TestDiagnostics(t *testing.T) {
	t.Run("every declaration's error", func(t *testing.T) {
		f := newFixture(t)
		_, list := f.exec("for i in range(50):\n    declare('x%d' % i)\n" + strings.Repeat("declare('web', replica = 4)\n", 50) + "boom = 1 / 0\n")
		if len(list) != 51 {
			t.Fatalf("got %d problems, want 51:\n%v", len(list), list)
		}
		d := list[0]
		if d.Pos.Line != 3 || d.Pos.Col != 16 || d.Pos.EndCol != 27 {
			t.Errorf("the wrong argument should be underlined: %+v", d)
		}
	})
	t.Run("spans", func(t *testing.T) {
		for _, test := range []struct {
			src           string
			line, col, to int
			text          string
		}{
			{"x = 1 + (2 // 0)\n", 1, 10, 16, "division by zero"},
			{"日 = '日本'\n", 1, 1, 1, ""},
			{"x = '日本' + 1\n", 1, 5, 13, "unknown binary op"},
			{"def f(replicas):\n    pass\nf(replica = 1)\n", 3, 3, 14, `unexpected keyword argument "replica" (did you mean "replicas"?)`},
			{"def f(a):\n    pass\nx = f()\n", 3, 5, 8, "missing 1 argument"},
			{"x = 'a'.uper()\n", 1, 5, 13, `string has no .uper field or method (did you mean ".upper"?)`},
			{"x = struct(image = 1).imag\n", 1, 5, 27, `(did you mean ".image"?)`},
			{"x = [1, 2][5]\n", 1, 5, 14, "out of range"},
			{"x = {'a': 1}['b']\n", 1, 5, 18, "not in dict"},
			{"x = len(1, 2)\n", 1, 5, 14, "len"},
			{"x = prnt\n", 1, 5, 9, `undefined: prnt (did you mean "print"?)`},
			{"x = declar\n", 1, 5, 11, `(did you mean "declare"?)`},
			{"for i in 5:\n    pass\n", 1, 10, 11, "not iterable"},
			{"a, b = [1]\n", 1, 1, 11, "too few values"},
			{"x = (1,\n     2 + 'a')\n", 2, 6, 13, "unknown binary op"},
		} {
			f := newFixture(t)
			_, list := f.exec(test.src)
			if test.text == "" {
				continue
			}
			if len(list) != 1 {
				t.Errorf("%q: got %v", test.src, list)
				continue
			}
			p := list[0].Pos
			if p.Line != test.line || p.Col != test.col || p.EndCol != test.to || !strings.Contains(list[0].Error(), test.text) {
				t.Errorf("%q: got %+v: %s\nwant line %d, %d to %d: %s", test.src, p, list[0].Error(), test.line, test.col, test.to, test.text)
			}
		}
	})
	t.Run("stack through modules", func(t *testing.T) {
		f := newFixture(t)
		f.opts.Stdlib = fstest.MapFS{"s.star": {Data: []byte("def outer(h):\n    return inner(h)\n\ndef inner(h):\n    declare(str(h), replica = 1)\n    return 1 // h\n")}}
		f.file("lib.star", "load('@stdlib//s.star', 'outer')\ndef f(x):\n    return [outer(i) for i in [x]]\n")
		f.file("main.star", "load('lib.star', 'f')\nf(0)\n")
		list := f.fails("main.star", "@stdlib//s.star:6:12: floored division by zero", "lib.star:3:13: declare: unexpected keyword argument")
		var stack []string
		for _, fr := range list[0].Stack {
			stack = append(stack, fr.Name+"@"+fr.Pos.String())
		}
		want := "<toplevel>@main.star:2:1 f@lib.star:3:13 outer@@stdlib//s.star:2:12 inner@@stdlib//s.star:6:12"
		if got := strings.Join(stack, " "); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if len(f.calls) != 1 || f.calls[0].String() != "lib.star:3:18" {
			t.Errorf("a call made by the standard library is where the user called it: got %v", f.calls)
		}
	})
	t.Run("a call of the standard library that is refused", func(t *testing.T) {
		f := newFixture(t)
		f.opts.Stdlib = fstest.MapFS{
			"args.star": {Data: []byte("def check(x):\n    fail('traefik: name: got %r' % x)\n")},
			"s.star":    {Data: []byte("load('@stdlib//args.star', 'check')\ndef traefik(name):\n    check(name)\n")},
		}
		f.file("lib.star", "load('@stdlib//s.star', 'traefik')\ndef edge():\n    traefik('a b')\n")
		f.file("main.star", "load('lib.star', 'edge')\nedge()\n")
		list := f.fails("main.star", `lib.star:3:5: traefik: name: got "a b"`)
		if n := len(list[0].Stack); n != 2 {
			t.Errorf("got %d frames, want the user's two: %+v", n, list[0].Stack)
		}
	})
	t.Run("a failing module", func(t *testing.T) {
		f := newFixture(t)
		f.file("a.star", "load('b.star', 'x')\n")
		f.file("b.star", "def f():\n    fail('no', 'way')\nx = f()\n")
		list := f.fails("a.star", "b.star:2:5: fail: no way")
		if n := len(list[0].Stack); n != 3 {
			t.Errorf("got %d frames, want 3: %+v", n, list[0].Stack)
		}
	})
	t.Run("duplicates", func(t *testing.T) {
		f := newFixture(t)
		f.fails("def f():\n    declare('a', replica = 1)\nf()\nf()\n", "test.star:2:18: declare: unexpected keyword argument")
	})
	t.Run("panics", func(t *testing.T) {
		f := newFixture(t)
		f.opts.Predeclared["declare"] = nil
		delete(f.opts.Predeclared, "declare")
		_, list := f.exec("x = show(print)\n")
		if len(list) != 1 {
			t.Errorf("got %v", list)
		}
	})
}

func TestCancel(t *testing.T) {
	f := newFixture(t)
	s := NewSession(f.opts)
	ctx, cancel := context.WithCancel(context.Background())
	s.opts.Print = func(string) {}
	s.thread.Print = nil
	cancel()
	if _, err := s.ExecSource(ctx, "a.star", []byte("x = 1\n")); err == nil {
		t.Error("a cancelled session ran")
	}
	if _, err := s.ExecSource(context.Background(), "a.star", []byte("x = 1\n")); err != nil {
		t.Errorf("a session is usable after it was cancelled: %v", err)
	}
}
