package compose

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// told is all that is seen of a stack: its parts with their places, and the
// warnings.
func told(s *Stack, root string) string {
	if s == nil {
		return "refused" // of two mistakes compose-go tells one or the other
	}
	out := describe(s, root)
	for _, p := range s.Parts {
		out += fmt.Sprintf("%s %s: %v %v", p.Kind.Name, p.Key, p.Pos, p.From)
		for _, f := range p.Kind.Schema.Fields() {
			out += fmt.Sprintf(" %v", p.At(f.Name))
		}
		out += "\n"
	}
	return out
}

// keptIn are the files of a folder, with their content.
func keptIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(p)] = string(data)
	}
	return out
}

// What is kept of a file is what loading it gives, for every file of the tests,
// and for what becomes of it without one of its lines.
func TestKeptIsLoaded(t *testing.T) {
	kept := 0
	for _, dir := range []string{"stack", "more", "refused"} {
		for _, file := range files(t, dir) {
			o := options(t, dir, file)
			o.Keep = t.TempDir()
			sameKept(t, o)
			kept += len(keptIn(t, o.Keep))
			if dir != "stack" {
				continue
			}
			text, err := o.Read(file)
			if err != nil {
				t.Fatal(err)
			}
			lines, read := strings.Split(strings.TrimSpace(string(text)), "\n"), o.Read
			o.Read = func(p string) ([]byte, error) {
				if p == file {
					return []byte(strings.Join(lines[:len(lines)-1], "\n")), nil
				}
				return read(p)
			}
			sameKept(t, o)
		}
	}
	if kept < 30 {
		t.Errorf("only %d loads are kept", kept)
	}
}

// sameKept loads, and again where that was kept.
func sameKept(t *testing.T, o Options) {
	t.Helper()
	before := keptIn(t, o.Keep)
	s, _, _ := Load(t.Context(), o)
	want := told(s, o.Root)
	if maps.Equal(keptIn(t, o.Keep), before) {
		return
	}
	s, texts, _ := Load(t.Context(), o)
	if got := told(s, o.Root); got != want {
		t.Errorf("%s: kept is\n%s\nwant\n%s", o.Files[0], got, want)
	}
	if len(texts) == 0 {
		t.Errorf("%s: no text to show lines of", o.Files[0])
	}
}

// keptOptions are those of a folder with a compose file and what is beside it.
func keptOptions(t *testing.T, beside map[string]string) Options {
	t.Helper()
	o := Options{Name: "shop", Root: t.TempDir(), Files: []string{"c.yml"}, Keep: filepath.Join(t.TempDir(), "a", "b")}
	o.Read = reader(o.Root)
	o.Exists = func(p string) bool { _, err := o.Read(p); return err == nil }
	for name, text := range beside {
		if err := os.WriteFile(filepath.Join(o.Root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// Each input counts: what is another load is not what was kept of this one.
func TestKeptChanges(t *testing.T) {
	o := keptOptions(t, map[string]string{
		"c.yml": "services:\n  web: {image: 'x:${TAG:-1}', volumes: ['~/data:/data'], hostname: \"$H\"}\n  more: {image: y, profiles: [more]}\n",
		"d.yml": "services: {web: {user: nobody}}\n",
	})
	t.Setenv("HOME", "/home/one")
	env := map[string]string{}
	o.Env = func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	seen := map[string]string{}
	for _, step := range []struct {
		what   string
		change func()
	}{
		{"as it is", func() {}},
		{"a variable of the script", func() { o.Vars = map[string]string{"TAG": "2"} }},
		{"its value", func() { o.Vars = map[string]string{"TAG": "3"} }},
		{"a second file", func() { o.Files = append(o.Files, "d.yml") }},
		{"a profile", func() { o.Profiles = []string{"more"} }},
		{"the name", func() { o.Name = "store" }},
		{"the home folder", func() { t.Setenv("HOME", "/home/two") }},
		{"an image of the script", func() { o.Images = []string{"web"} }},
		{"the environment", func() { env["H"] = "host" }},
		{"an env file", func() {
			o.Env, o.EnvFiles = nil, []string{"e.env"}
			if err := os.WriteFile(filepath.Join(o.Root, "e.env"), []byte("H=other\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{"the text", func() {
			if err := os.WriteFile(filepath.Join(o.Root, "d.yml"), []byte("services: {web: {user: root}}\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		step.change()
		got := describe(load(t, o), o.Root)
		if again := describe(load(t, o), o.Root); again != got {
			t.Errorf("%s: the second time it is\n%s\nnot\n%s", step.what, again, got)
		}
		if before, ok := seen[got]; ok {
			t.Errorf("%s: the stack is that of %s:\n%s", step.what, before, got)
		}
		seen[got] = step.what
	}
}

// What may be secret is not kept, sealed or not: what the environment gives, and
// the content of files that a compose file only names.
func TestKeptHoldsNoSecret(t *testing.T) {
	beside := map[string]string{"pw.txt": "hunter2", "e.env": "PW=hunter2\n", "l.env": "pw=hunter2\n",
		"base.yml": "services: {base: {image: x}}\n"}
	env := func(name string) (string, bool) { return "hunter2", name == "PW" }
	for what, text := range map[string]string{
		"a variable of the environment": "services: {web: {image: x, environment: {PW: $PW}}}",
		"one that is only passed on":    "services: {web: {image: x, environment: [PW]}}",
		"a secret of the environment":   "services: {web: {image: x}}\nsecrets: {pw: {environment: PW}}",
		"a secret's file":               "services: {web: {image: x, secrets: [pw]}}\nsecrets: {pw: {file: pw.txt}}",
		"a config's file":               "services: {web: {image: x}}\nconfigs: {pw: {file: pw.txt}}",
		"a service's env file":          "services: {web: {image: x, env_file: e.env}}",
		"one that need not be there":    "services: {web: {image: x, env_file: [{path: none.env, required: false}]}}",
		"a file of labels":              "services: {web: {image: x, label_file: l.env}}",
		"a file that is included":       "include: [base.yml]\nservices: {web: {image: x}}",
		"a file that is extended":       "services: {web: {extends: {file: base.yml, service: base}}}",
	} {
		beside["c.yml"] = text
		o := keptOptions(t, beside)
		o.Env = env
		load(t, o)
		if got := keptIn(t, o.Keep); len(got) > 0 {
			t.Errorf("%s: %d files are kept", what, len(got))
		}
	}
	beside["c.yml"], beside[".env"] = "services: {web: {image: x}}", "PW=hunter2\n"
	o := keptOptions(t, beside)
	load(t, o)
	if got := keptIn(t, o.Keep); len(got) > 0 {
		t.Errorf("with a .env %d files are kept", len(got))
	}
}

// What is kept is one file a stack, which only its owner reads, and which says
// nothing to who does not have the compose files.
func TestKeptFile(t *testing.T) {
	o := keptOptions(t, map[string]string{"c.yml": "services: {web: {image: x, environment: {PW: hunter2}}}"})
	want := describe(load(t, o), o.Root)
	var path, before string
	for name, text := range keptIn(t, o.Keep) {
		path, before = filepath.Join(o.Keep, name), text
	}
	if before == "" || strings.Contains(before, "hunter2") || strings.Contains(before, "web") {
		t.Fatalf("kept is %q", before)
	}
	for _, p := range []string{path, o.Keep} {
		if info, err := os.Stat(p); err != nil || info.Mode()&0o077 != 0 {
			t.Errorf("%s: %v, %v: others may read it", p, info.Mode(), err)
		}
	}
	o.Vars = map[string]string{"A": "another load of the same stack"}
	load(t, o)
	if got := keptIn(t, o.Keep); len(got) != 1 || got[filepath.Base(path)] == before {
		t.Errorf("there are %d files, want one, that is new", len(got))
	}
	for i, bad := range []string{"", "x", before[1:], string(bytes.ToUpper([]byte(before)))} { // the last is of another load, too
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := describe(load(t, o), o.Root); got != want {
			t.Errorf("damaged %d: got\n%s\nwant\n%s", i, got, want)
		}
	}
	old := filepath.Join(o.Keep, "old")
	if err := os.WriteFile(old, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(old, time.Time{}, time.Now().Add(-2*keptFor)); err != nil {
		t.Fatal(err)
	}
	o.Profiles = []string{"another"}
	load(t, o)
	if got := keptIn(t, o.Keep); len(got) != 2 || got["old"] != "" {
		t.Errorf("there are %d files, want those of two stacks without the old one", len(got))
	}
	for _, dir := range []string{path, filepath.Join(o.Root, "c.yml", "below a file")} { // neither can be a folder
		o.Keep = dir
		if got := describe(load(t, o), o.Root); got != want {
			t.Errorf("without a folder: got\n%s\nwant\n%s", got, want)
		}
	}
}
