package stdlib_test

import (
	"context"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/builtins"
	"github.com/swarmscript/swarmscript/internal/registry"
	"github.com/swarmscript/swarmscript/lang"
	"github.com/swarmscript/swarmscript/stdlib"
)

// Each module has its tests beside it, in SwarmScript: a file that fails where
// the module does not do what it says.
func TestModules(t *testing.T) {
	modules, err := fs.Glob(stdlib.FS, "*.star")
	if err != nil || len(modules) == 0 {
		t.Fatalf("modules: %v, %v", modules, err)
	}
	for _, m := range modules {
		t.Run(m, func(t *testing.T) {
			src, err := os.ReadFile(strings.TrimSuffix(m, ".star") + "_test.star")
			if err != nil {
				t.Fatalf("%s has no tests: %v", m, err)
			}
			rec := builtins.NewRecorder(&builtins.Inputs{}, registry.Kinds())
			s := lang.NewSession(lang.Options{Stdlib: stdlib.FS, Predeclared: rec.Predeclared()})
			if _, err := s.ExecSource(context.Background(), m, src); err != nil {
				t.Error(err)
			}
		})
	}
}
