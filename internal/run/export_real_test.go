package run

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/swarmscript/swarmscript/internal/compose"
	"github.com/swarmscript/swarmscript/internal/testengine"
)

// writeExported writes a stack file and what it reads into a new folder.
func writeExported(t *testing.T, out *compose.Exported) (file string) {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{compose.FileName: string(out.Text)}
	maps.Copy(files, out.Files)
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, compose.FileName)
}

// exportedCase is the stack file that a script of a compose file in dir comes to.
func exportedCase(t *testing.T, c stackCase, dir string, env func(string) (string, bool)) *compose.Exported {
	t.Helper()
	script := filepath.Join(dir, "cluster.star")
	if err := os.WriteFile(script, []byte(c.script(map[string]string{"build": "False"})), 0o600); err != nil {
		t.Fatal(err)
	}
	_, out, err := ExportCompose(t.Context(), Options{File: script, Env: env}, ExportOptions{Dir: dir, ExportOptions: compose.ExportOptions{Secrets: true}})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// What `export --compose` writes of a stack, `docker stack deploy` makes the same
// of as of the stack's own files, field by field; but for what the export warns
// of.
func TestExportOracle(t *testing.T) {
	first := testengine.Start(t, testengine.Docker28)
	again := testengine.Start(t, testengine.Docker28)
	for _, e := range []*testengine.Engine{first, again} {
		testengine.Images(e)
		e.Docker("swarm", "init", "--advertise-addr", e.Addr)
	}
	for _, c := range stackCases(t, stackFiles) {
		t.Run(c.name, func(t *testing.T) {
			first, again := first.In(t), again.In(t)
			dir := copyDir(t, stackFiles)
			for _, e := range []*testengine.Engine{first, again} {
				c.prepare(t, e)
			}
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			deploy := func(e *testengine.Engine, files ...string) {
				args := []string{"--host", e.Host, "stack", "deploy", "--detach", "--resolve-image", "never"}
				for _, f := range files {
					args = append(args, "--compose-file", f)
				}
				cmd := exec.CommandContext(t.Context(), testengine.CLI(t), append(args, c.stackName())...) // which has this environment
				if out, err := cmd.CombinedOutput(); err != nil {
					text, _ := os.ReadFile(files[0])
					t.Fatalf("docker stack deploy: %v\n%s\n%s", err, out, text)
				}
			}
			var files []string
			for _, f := range c.files {
				files = append(files, filepath.Join(dir, f))
			}
			deploy(first, files...)
			out := exportedCase(t, c, dir, os.LookupEnv)
			deploy(again, writeExported(t, out))
			want, got := stackSpecs(t, first, c.stackName()), stackSpecs(t, again, c.stackName())
			if want != got {
				t.Errorf("docker stack deploy of the files (-) and of what was exported (+):\n%s\n%s", lineDiff(want, got), out.Text)
			}
			if got := summaries(out); !slices.Equal(got, exportWarnings[c.name]) {
				t.Errorf("it warns of %q, want %q", got, exportWarnings[c.name])
			}
		})
	}
}

// exportWarnings are those that files of the oracle give.
var exportWarnings = map[string][]string{
	"ignored": {"service.ignored_one: docker stack deploy does not wait for two"},
}

func summaries(out *compose.Exported) (list []string) {
	for _, w := range out.Warnings {
		list = append(list, w.Summary)
	}
	return list
}
