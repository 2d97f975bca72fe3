// Package internal_test keeps the architecture: who may import whom.
package internal_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/swarmscript/swarmscript/"

// The packages that know nothing of backends, and the data that all share.
var (
	data  = []string{"internal/value", "internal/schema", "internal/resource", "internal/diag"}
	rules = []struct {
		pkg string // a prefix of the importing package
		may []string
	}{
		{"cmd/swarmscript", []string{"internal/run", "internal/repl", "internal/ui", "internal/docs", "internal/format", "internal/apply", "internal/diag", "lang", "internal/plan", "internal/resource", "internal/value", "internal/operate", "internal/local"}},
		{"internal/run", nil}, // joins everything
		{"builtins", append([]string{"lang", "internal/registry"}, data...)},
		{"lang", data},
		{"internal/value", nil},
		{"internal/diag", nil},
		{"internal/schema", []string{"internal/value", "internal/diag"}},
		{"internal/resource", []string{"internal/value", "internal/schema", "internal/diag"}},
		{"internal/plan", data},
		{"internal/apply", append([]string{"internal/plan"}, data...)},
		{"internal/remote", data},
		{"internal/engine", append([]string{"internal/remote", "internal/swarm"}, data...)},
		{"internal/host", append([]string{"internal/remote", "internal/engine"}, data...)},
		{"internal/local", append([]string{"internal/remote", "internal/host"}, data...)},
		{"internal/swarm/placement", nil},
		{"internal/swarm", append([]string{"internal/remote", "internal/swarm/placement"}, data...)},
		{"internal/repl", []string{"lang"}},
		{"internal/check", append([]string{"internal/remote", "internal/swarm"}, data...)},
		{"internal/registry", []string{"internal/resource", "internal/swarm", "internal/engine", "internal/check", "internal/host", "internal/local"}},
		{"internal/operate", append([]string{"internal/remote", "internal/swarm"}, data...)},
		{"internal/repl", []string{"lang"}},
		{"internal/ui", append([]string{"internal/plan", "internal/apply", "internal/operate"}, data...)},
	}
	// Only these see Starlark.
	starlark = []string{"lang", "builtins", "internal/run", "internal/docs", "internal/format", "stdlib"}
)

func TestImports(t *testing.T) {
	for pkg, imports := range packages(t) {
		for _, imp := range imports {
			if strings.HasPrefix(imp, "go.starlark.net") && !within(pkg, starlark) {
				t.Errorf("%s imports %s: only %v may", pkg, imp, starlark)
			}
			own, ok := strings.CutPrefix(imp, module)
			if !ok {
				continue
			}
			for _, r := range rules {
				if within(pkg, []string{r.pkg}) && (r.may != nil || len(r.may) == 0 && isLeaf(r.pkg)) && !within(own, r.may) {
					t.Errorf("%s imports %s: it may import %v", pkg, own, r.may)
				}
			}
			if strings.HasPrefix(own, "internal/testengine") || strings.HasPrefix(own, "internal/testhost") || strings.HasPrefix(own, "internal/testhost") {
				t.Errorf("%s imports %s, which is for tests", pkg, own)
			}
		}
	}
}

// isLeaf reports whether a rule without packages means none, not any.
func isLeaf(pkg string) bool {
	return slices.Contains([]string{"internal/value", "internal/diag", "internal/swarm/placement"}, pkg)
}

func within(pkg string, list []string) bool {
	return slices.ContainsFunc(list, func(p string) bool { return pkg == p || strings.HasPrefix(pkg, p+"/") })
}

// packages returns what the files that are not tests import, by package.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && (name == "testengine" || name == "testhost" || name == "testdata" || strings.HasPrefix(name, ".") && path != root) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		for _, imp := range f.Imports {
			p, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				return err
			}
			out[filepath.ToSlash(rel)] = append(out[filepath.ToSlash(rel)], p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 10 {
		t.Fatalf("found only %d packages", len(out))
	}
	return out
}
