package repl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// typed is lines as a person types them: "^C" gives a line up, what begins with
// "|" is pasted. It ends with EOF.
type typed struct {
	lines   []string
	prompts []string
}

func (t *typed) Line(_ context.Context, prompt, _ string) (string, bool, error) {
	t.prompts = append(t.prompts, strings.TrimSpace(prompt))
	if len(t.lines) == 0 {
		return "", false, io.EOF
	}
	line := t.lines[0]
	t.lines = t.lines[1:]
	if line == "^C" {
		return "", false, ErrInterrupted
	}
	rest, pasted := strings.CutPrefix(line, "|")
	return rest, pasted, nil
}

func inputs(t *testing.T, person bool, h *History, lines ...string) []string {
	t.Helper()
	var got []string
	l := &Loop{
		Lines: &typed{lines: lines}, Person: person, History: h,
		Eval: func(_ context.Context, text string) { got = append(got, strings.TrimRight(text, "\n")) },
	}
	if err := l.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestLoop(t *testing.T) {
	for _, tt := range []struct {
		name   string
		person bool
		lines  []string
		want   []string
	}{
		{"a line", true, []string{"x = 1", "", "x"}, []string{"x = 1", "x"}},
		{"brackets", true, []string{"f(1,", "", "  2", ")"}, []string{"f(1,\n\n  2\n)"}},
		{"a block ends with an empty line", true, []string{"def f():", "    return 1", "", "f()"}, []string{"def f():\n    return 1", "f()"}},
		{"or with one that is not indented", true, []string{"def f():", "    return 1", "f()"}, []string{"def f():\n    return 1\nf()"}},
		{"else", true, []string{"if x:", "    y", "else:", "    z", ""}, []string{"if x:\n    y\nelse:\n    z"}},
		{"a mistake ends it at once", true, []string{"def f(:", "x"}, []string{"def f(:", "x"}},
		{"given up", true, []string{"def f():", "^C", "x", "f(", "^C", "y"}, []string{"x", "y"}},
		{"left in the middle", true, []string{"x", "f("}, []string{"x"}},
		{"pasted", true, []string{"|def f():", "|", "|    return 1", "|x = 1", "f()"}, []string{"def f():\n\n    return 1\nx = 1\nf()"}},
		{"pasted from the middle of something", true, []string{"|    x = 1", "|    if x:", "|        y", ""}, []string{"x = 1\nif x:\n    y"}},
		{"a blank before it", true, []string{" x = 1"}, []string{"x = 1"}},
		{"leaving as elsewhere", true, []string{"x", "exit()", "y"}, []string{"x"}},
		{"text in three quotes", true, []string{`x = """a`, "", `b"""`}, []string{"x = \"\"\"a\n\nb\"\"\""}},

		{"a pipe: a block goes on over empty lines", false, []string{"def f():", "    a", "", "    b", "f()"}, []string{"def f():\n    a\n\n    b", "f()"}},
		{"a pipe: else and a comment go on", false, []string{"if x:", "    y", "# why", "else:", "    z", "w"}, []string{"if x:\n    y\n# why\nelse:\n    z", "w"}},
		{"a pipe: the end ends it", false, []string{"x = 1", "def f():", "    a"}, []string{"x = 1", "def f():\n    a"}},
		{"a pipe: an open bracket goes on", false, []string{"f(", "1", ")", "x"}, []string{"f(\n1\n)", "x"}},
		{"a pipe: a mistake in a block is one", false, []string{"def f():", "    x = = 1", "    return x", "y"}, []string{"def f():\n    x = = 1\n    return x", "y"}},
		{"a pipe: what is not ended is told", false, []string{"f("}, []string{"f("}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := inputs(t, tt.person, nil, tt.lines...); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// A line that comes after its reader gave up is the next one's.
func TestPlainGivesUp(t *testing.T) {
	in, w := io.Pipe()
	defer w.Close()
	p := NewPlain(in, nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for range 2 {
		if _, _, err := p.Line(ctx, "", ""); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
	}
	go io.WriteString(w, "one\r\ntwo\n")
	for _, want := range []string{"one", "two"} {
		if got, _, err := p.Line(context.Background(), "", ""); got != want || err != nil {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
}

func TestPrompts(t *testing.T) {
	in := &typed{lines: []string{"def f():", "    return 1", "", "x"}}
	l := &Loop{Lines: in, Person: true, Eval: func(context.Context, string) {}}
	if err := l.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if want := []string{">>>", "...", "...", ">>>", ">>>"}; !slices.Equal(in.prompts, want) {
		t.Errorf("got %q, want %q", in.prompts, want)
	}
}

func history(t *testing.T, path string) *History {
	t.Helper()
	h, err := OpenHistory(path)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func all(h *History) []string {
	var out []string
	for i := h.Len() - 1; i >= 0; i-- {
		out = append(out, h.At(i))
	}
	return out
}

func TestHistory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "swarmscript", "history")
	h := history(t, path)
	inputs(t, true, h, "x = 1", "x = 1", "def f():", "    return 1", "", "1 // 0", "f(", "^C",
		" hidden = 1", `secret("s", value = "hunter2")`, `service("w", env = {"DB_PASSWORD": "hunter2"})`, "y")
	want := []string{"x = 1", "def f():", "    return 1", "1 // 0", "f(", " hidden = 1",
		`secret("s", value = "hunter2")`, `service("w", env = {"DB_PASSWORD": "hunter2"})`, "y"}
	if got := all(h); !slices.Equal(got, want) {
		t.Errorf("this session has %q, want %q", got, want)
	}
	kept := slices.DeleteFunc(slices.Clone(want), func(s string) bool { return strings.Contains(s, "h") && !strings.HasPrefix(s, "def") })
	if got := all(history(t, path)); !slices.Equal(got, kept) {
		t.Errorf("the next has %q, want %q", got, kept)
	}
	for file, mode := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v, want %v", file, info.Mode(), err, mode)
		}
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	history(t, path)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others can read it: %v, %v", info.Mode(), err)
	}
}

// Sessions at once do not lose each other's lines, also while the file is cut
// down.
func TestHistoryOfSeveral(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history")
	filler := strings.Repeat("x", 2000)
	if err := os.WriteFile(path, []byte(strings.Repeat(filler+"\n", historyBytes/2000)), 0o600); err != nil {
		t.Fatal(err)
	}
	const sessions, each = 4, 50
	var wg sync.WaitGroup
	for s := range sessions {
		h := history(t, path)
		wg.Go(func() {
			for i := range each {
				if err := h.Input([]string{fmt.Sprintf("line %d of %d", i, s)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got := all(history(t, path))
	for s := range sessions {
		for i := range each {
			if line := fmt.Sprintf("line %d of %d", i, s); !slices.Contains(got, line) {
				t.Fatalf("%q is lost", line)
			}
		}
	}
	if info, err := os.Stat(path); err != nil || info.Size() > historyBytes*3/4 {
		t.Errorf("it has %d bytes, %v", info.Size(), err)
	}
}

func TestHistoryFile(t *testing.T) {
	for _, tt := range []struct{ state, home, want string }{
		{"/state", "/home/a", "/state/swarmscript/history"},
		{"", "/home/a", "/home/a/.local/state/swarmscript/history"},
		{"relative", "/home/a", "/home/a/.local/state/swarmscript/history"},
		{"", "", ""},
	} {
		env := map[string]string{"XDG_STATE_HOME": tt.state, "HOME": tt.home}
		if got := filepath.ToSlash(HistoryFile(func(k string) string { return env[k] })); got != tt.want {
			t.Errorf("%+v: got %q", tt, got)
		}
	}
	h, err := OpenHistory("")
	if err != nil || h.Input([]string{"x"}) != nil || h.Len() != 1 {
		t.Errorf("without a file: %v", err)
	}
	if _, err := OpenHistory("/dev/null/x"); err == nil {
		t.Error("a history in a file that is no folder")
	}
}

func TestColumns(t *testing.T) {
	if got, want := Columns([]string{"a", "bb", "ccc", "dd", "e"}, 12), "a    dd\nbb   e\nccc\n"; got != want {
		t.Errorf("got\n%s", got)
	}
	if got := Columns([]string{strings.Repeat("x", 50)}, 10); got != strings.Repeat("x", 50)+"\n" {
		t.Errorf("got %q", got)
	}
}

// What is typed is shown as it is typed, whatever the keys are.
func FuzzKeys(f *testing.F) {
	f.Add("abc\x03def\r\x1b[200~x\x03\r")
	f.Fuzz(func(t *testing.T, typed string) {
		k := &keys{in: strings.NewReader(typed)}
		text, err := io.ReadAll(k)
		if err != nil {
			t.Fatal(err)
		}
		if strings.ContainsRune(string(text), 3) {
			t.Errorf("%q: Ctrl-C came through", text)
		}
	})
}
