package run

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// What `export --compose` writes of a stack, `import --compose` reads again: the
// script declares just what the stack's own files do.
func TestExportImport(t *testing.T) {
	for _, c := range stackCases(t, stackFiles) {
		t.Run(c.name, func(t *testing.T) {
			dir := copyDir(t, stackFiles)
			env := func(name string) (string, bool) { v, ok := c.env[name]; return v, ok }
			want := declaredBy(t, filepath.Join(dir, "stack.star"), c.script(map[string]string{"build": "False"}), env)
			file := writeExported(t, exportedCase(t, c, dir, env))
			l, _, err := ImportCompose(t.Context(), ComposeOptions{Files: []string{file}, Project: "oracle-" + c.stackName(), Stack: c.stackName()})
			if err != nil {
				t.Fatal(err)
			}
			got := declaredBy(t, filepath.Join(filepath.Dir(file), "import.star"), string(l.Text), env)
			sameDeclared(t, got, want)
			if t.Failed() {
				text, _ := os.ReadFile(file)
				t.Logf("the file:\n%s\nthe script:\n%s", text, l.Text)
			}
		})
	}
}

// What an export comes to, as a person reads it: the file, and what it does not
// say.
func TestExportGolden(t *testing.T) {
	scripts, err := filepath.Glob("testdata/export/*.star")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, script := range scripts {
		t.Run(filepath.Base(script), func(t *testing.T) {
			env := func(name string) (string, bool) { return "of-the-environment", true }
			_, out, err := ExportCompose(t.Context(), Options{File: script, Env: env}, ExportOptions{Dir: "testdata/export"})
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			b.Write(out.Text)
			for _, name := range slices.Sorted(maps.Keys(out.Files)) {
				b.WriteString("-- " + name + " --\n" + out.Files[name] + "\n")
			}
			b.WriteString("-- warnings --\n")
			for _, w := range out.Warnings {
				b.WriteString(w.Error() + "\n")
			}
			got, golden := b.String(), strings.TrimSuffix(script, ".star")+".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("it differs from %s:\n%s", golden, lineDiff(string(want), got))
			}
			if strings.Contains(got, "of-the-environment") {
				t.Error("something sensitive is in it")
			}
		})
	}
}
