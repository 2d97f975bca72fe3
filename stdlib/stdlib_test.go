package stdlib_test

import (
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/lab/serve"
	"github.com/swarmscript/swarmscript/internal/scripttest"
	"github.com/swarmscript/swarmscript/internal/ui"
	"github.com/swarmscript/swarmscript/lang"
	"github.com/swarmscript/swarmscript/stdlib"
)

// The labs of the tests are this program, started once more.
func TestMain(m *testing.M) {
	serve.Intercept(os.Args)
	os.Exit(m.Run())
}

// Each module has its tests beside it, in SwarmScript, which reach every line of
// it.
func TestModules(t *testing.T) {
	modules, err := fs.Glob(stdlib.FS, "*.star")
	if err != nil || len(modules) == 0 {
		t.Fatalf("modules: %v, %v", modules, err)
	}
	var names []string
	for _, m := range modules {
		names = append(names, strings.TrimSuffix(m, ".star")+"_test.star")
	}
	files, err := scripttest.Find(names, nil)
	if err != nil {
		t.Fatal(err)
	}
	tmp, err := os.MkdirTemp("", "labs") // with a short name: there are sockets in it
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(tmp)
	t.Setenv("TMPDIR", tmp)
	var covered lang.Coverage
	for _, r := range scripttest.Run(t.Context(), files, scripttest.Options{Parallelism: 2, Timeout: 4 * time.Minute, Coverage: &covered}) {
		if r.Status != scripttest.Passed {
			var b strings.Builder
			scripttest.WriteFailure(&b, r, ui.Style{})
			t.Errorf("%s: %s: %s\n%s", r.File, r.Name, r.Status, b.String())
		}
	}
	reached := scripttest.CoverageOf(&covered, files)
	if len(reached) != len(modules) {
		t.Errorf("of %d modules, lines of %d were reached", len(modules), len(reached))
	}
	for _, f := range reached {
		if f.Hit != f.Lines {
			_ = scripttest.WriteCoverage(os.Stderr, []scripttest.FileCoverage{f})
			t.Errorf("the tests of %s do not reach lines %v", f.File, f.Missed)
		}
	}
}
