package compose

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/value"
)

var update = flag.Bool("update", false, "write the golden files anew")

// options load a file of testdata, with what its comments say of it.
func options(t testing.TB, dir, file string) Options {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("testdata", dir))
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Name: "shop", Root: root, Files: []string{file}, Read: reader(root), Build: dir != "stack" && file != "no_image.yml"} // which say what it is like without
	o.Exists = func(p string) bool { _, err := o.Read(p); return err == nil }
	env := map[string]string{}
	o.Env = func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	text, err := o.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		word, rest, _ := strings.Cut(strings.TrimPrefix(line, "# "), ": ")
		switch {
		case !strings.HasPrefix(line, "# "):
		case word == "also":
			o.Files = append(o.Files, rest)
		case word == "env":
			key, val, _ := strings.Cut(rest, "=")
			env[key] = val
		case word == "profile":
			o.Profiles = append(o.Profiles, rest)
		}
	}
	return o
}

// reader reads files below a folder, as a script does.
func reader(root string) func(string) ([]byte, error) {
	return func(p string) ([]byte, error) {
		data, err := fs.ReadFile(os.DirFS(root), p)
		if err != nil {
			return nil, fmt.Errorf("%s: no such file", p)
		}
		return data, nil
	}
}

func files(t testing.TB, dir string) (out []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", dir, "*.yml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files in testdata/%s: %v", dir, err)
	}
	for _, p := range paths {
		if !strings.HasSuffix(p, "_over.yml") { // the second of two
			out = append(out, filepath.Base(p))
		}
	}
	return out
}

// describe writes a stack for a person to read: each part's arguments, and the
// warnings.
func describe(s *Stack, root string) string {
	var b strings.Builder
	for _, p := range s.Parts {
		external := map[bool]string{true: " (external)"}[p.External]
		fmt.Fprintf(&b, "%s %s%s\n", p.Kind.Name, p.Name, external)
		for _, f := range p.Kind.Schema.Fields() {
			if v := p.Args[f.Index]; v != nil && f.Name != "name" {
				fmt.Fprintf(&b, "    %s: %s\n", f.Name, f.Type.Format(value.Reveal(v)))
			}
		}
		if p.After != nil {
			fmt.Fprintf(&b, "    after: %s\n", strings.Join(p.After, ", "))
		}
	}
	for _, w := range s.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", w.Error())
	}
	return strings.ReplaceAll(b.String(), filepath.ToSlash(root), "ROOT")
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func load(t *testing.T, o Options) *Stack {
	t.Helper()
	s, _, problems := Load(t.Context(), o)
	if s == nil {
		t.Fatal(problems.Error())
	}
	return s
}

// What compose-go knows and `docker stack deploy` does not: extends, include,
// profiles, .env, and the newer keys.
func TestMore(t *testing.T) {
	for _, file := range files(t, "more") {
		t.Run(file, func(t *testing.T) {
			o := options(t, "more", file)
			golden(t, "more/"+strings.TrimSuffix(file, ".yml"), describe(load(t, o), o.Root))
		})
	}
}

// What a swarm does not do is told, each with its line.
func TestIgnored(t *testing.T) {
	o := options(t, "stack", "ignored.yml")
	golden(t, "ignored", describe(load(t, o), o.Root))
}

// Each key that is ignored is one that compose-go knows.
func TestIgnoredKeysExist(t *testing.T) {
	seen := map[string]bool{}
	for _, i := range ignored {
		if seen[i.key] {
			t.Errorf("%s is there twice", i.key)
		}
		seen[i.key] = true
		o := options(t, "stack", "minimal.yml")
		o.Read = func(string) ([]byte, error) {
			return []byte("services:\n  web:\n    image: x\n    " + i.key + ": {}\n"), nil
		}
		o.Exists = func(string) bool { return false }
		_, _, problems := Load(t.Context(), o)
		if text := problems.Error(); strings.Contains(text, "there is no key") {
			t.Errorf("%s: %s", i.key, text)
		}
	}
}

// What is wrong is told with its place, and nothing is loaded.
func TestRefused(t *testing.T) {
	for _, file := range files(t, "refused") {
		t.Run(file, func(t *testing.T) {
			o := options(t, "refused", file)
			text, _ := o.Read(file)
			s, _, problems := Load(t.Context(), o)
			if s != nil || problems.Err() == nil {
				t.Fatalf("it is taken: %s", describe(s, o.Root))
			}
			got := problems.Error()
			for _, line := range strings.Split(string(text), "\n") {
				if want, ok := strings.CutPrefix(line, "# error: "); ok && !strings.Contains(got, want) {
					t.Errorf("got  %s\nwant %s", got, want)
				}
			}
			if strings.Contains(got, o.Root) {
				t.Errorf("the root is told: %s", got)
			}
		})
	}
}

// Variables come from the script, the environment, a file, in this order.
func TestPrecedence(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("c.yml", "services:\n  web:\n    image: x\n    environment: {A: $A, B: $B, C: $C, D: '$D'}\n")
	write(".env", "A=dotenv\nB=dotenv\nC=dotenv\n")
	write("other.env", "C=other\n")
	o := Options{Name: "shop", Root: dir, Files: []string{"c.yml"}, Read: reader(dir), Vars: map[string]string{"A": "script"}}
	o.Exists = func(p string) bool { _, err := o.Read(p); return err == nil }
	asked := map[string]bool{}
	o.Env = func(name string) (string, bool) {
		asked[name] = true
		return "environment", name == "A" || name == "B"
	}
	env := func() string { return describe(load(t, o), dir) }
	if got := env(); !strings.Contains(got, `{"A": "script", "B": "environment", "C": "dotenv", "D": ""}`) {
		t.Error(got)
	}
	o.EnvFiles = []string{"other.env"}
	if got := env(); !strings.Contains(got, `"C": "other"`) {
		t.Error(got)
	}
	if asked["PATH"] {
		t.Error("the environment is asked for what no file names")
	}
	s := load(t, o)
	if len(s.Warnings) != 1 || s.Warnings[0].Severity != diag.Warning || !strings.Contains(s.Warnings[0].Error(), "c.yml:4:43: the variable D is not set") {
		t.Errorf("the warnings are %v", s.Warnings)
	}
}

// Whatever is in a file, there is an error or a stack.
func FuzzLoad(f *testing.F) {
	for _, dir := range []string{"stack", "more", "refused"} {
		for _, file := range files(f, dir) {
			text, err := os.ReadFile(filepath.Join("testdata", dir, file))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(text))
		}
	}
	f.Add("services: {a: {image: x, extends: {file: 1}}}")
	f.Add("include: [{path: [1, {}]}]\nservices: 3")
	f.Add("services: &a {b: *a}")
	f.Fuzz(func(t *testing.T, text string) {
		o := Options{Name: "shop", Root: "/nowhere", Files: []string{"c.yml"}}
		o.Exists = func(p string) bool { return p == "c.yml" }
		o.Read = func(p string) ([]byte, error) {
			if p != "c.yml" {
				return nil, fmt.Errorf("%s: no such file", p)
			}
			return []byte(text), nil
		}
		s, _, problems := Load(t.Context(), o)
		if (s == nil) != (problems.Err() != nil) {
			t.Errorf("stack %v, problems %v", s, problems)
		}
	})
}
