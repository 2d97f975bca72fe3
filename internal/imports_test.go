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
		{"cmd/swarmscript", []string{"internal/begin", "internal/run", "internal/repl", "internal/ui", "internal/docs", "internal/format", "internal/apply", "internal/diag", "lang", "internal/plan", "internal/resource", "internal/value", "internal/operate", "internal/scripttest", "internal/local", "internal/lab", "internal/azure/emulator", "internal/azure/machines"}},
		{"internal/run", nil},        // joins everything
		{"internal/scripttest", nil}, // and this what tests of scripts need
		{"builtins", append([]string{"lang", "internal/registry", "internal/local", "internal/lab", "internal/azure", "internal/template", "internal/compose"}, data...)},
		{"lang", data},
		{"internal/value", nil},
		{"internal/diag", nil},
		{"internal/pattern", nil}, // which any may
		{"internal/schema", []string{"internal/value", "internal/diag"}},
		{"internal/resource", []string{"internal/value", "internal/schema", "internal/diag"}},
		{"internal/template", []string{"internal/value"}},
		{"internal/compose", append([]string{"internal/swarm", "internal/engine"}, data...)},
		{"internal/plan", data},
		{"internal/apply", append([]string{"internal/plan"}, data...)},
		{"internal/remote", data},
		{"internal/build", []string{"internal/remote", "internal/diag"}},
		{"internal/engine", append([]string{"internal/remote", "internal/oci", "internal/swarm", "internal/build"}, data...)},
		{"internal/host", append([]string{"internal/remote", "internal/engine", "internal/certificate"}, data...)},
		{"internal/sshkey", nil},
		{"internal/packetfilter", nil},
		{"internal/local", append([]string{"internal/remote", "internal/host", "internal/sshkey", "internal/packetfilter"}, data...)},
		{"internal/lab/api", nil},
		{"internal/lab/store", nil},
		{"internal/lab/wire", nil},
		{"internal/lab/cluster", []string{"internal/lab/wire"}},
		{"internal/lab/engine", []string{"internal/lab/store"}},
		{"internal/lab/debian", []string{"internal/lab/store"}},
		{"internal/lab/sshd", []string{"internal/lab/debian"}},
		{"internal/lab/world", []string{"internal/lab/api", "internal/lab/store", "internal/lab/wire", "internal/lab/cluster", "internal/lab/engine", "internal/lab/debian", "internal/lab/sshd", "internal/sshkey"}},
		{"internal/lab/serve", []string{"internal/lab"}},
		{"internal/azure/balance", nil},
		{"internal/azure/emulator", []string{"internal/azure/balance", "internal/packetfilter", "internal/certificate"}},
		{"internal/certificate", nil},
		{"internal/azure/machines", []string{"internal/azure/balance", "internal/azure/emulator", "internal/lab", "internal/local", "internal/packetfilter", "internal/resource"}},
		{"internal/swarm/placement", nil},
		{"internal/oci", nil},
		{"internal/swarm", append([]string{"internal/remote", "internal/oci", "internal/swarm/placement"}, data...)},
		{"internal/check", append([]string{"internal/remote", "internal/swarm"}, data...)},
		{"internal/registry", []string{"internal/resource", "internal/swarm", "internal/engine", "internal/check", "internal/host", "internal/local", "internal/lab", "internal/azure"}},
		{"internal/operate", append([]string{"internal/remote", "internal/swarm"}, data...)},
		{"internal/repl", []string{"lang"}},
		{"internal/ui", append([]string{"internal/plan", "internal/apply", "internal/operate", "internal/lab/whatif/outcome"}, data...)},
		{"internal/lab/whatif/outcome", nil},
		{"internal/lab/whatif", []string{"internal/lab/whatif/outcome"}},
	}
	// The packages that hold SwarmKit and Docker's server: a program imports them
	// only to be a lab's process.
	labParts = []string{"internal/lab/serve", "internal/lab/world", "internal/lab/cluster", "internal/lab/engine", "internal/lab/debian", "internal/lab/sshd", "internal/lab/wire", "internal/lab/store"}
	// What only tests and benchmarks import.
	forTests = []string{"internal/testengine", "internal/testhost", "internal/lab/labtest", "internal/azure/azuretest", "internal/resource/resourcetest"}
	// Only these see Starlark.
	starlark = []string{"lang", "builtins", "internal/run", "internal/scripttest", "internal/docs", "internal/format", "stdlib"}
)

func TestImports(t *testing.T) {
	for pkg, imports := range packages(t) {
		for _, imp := range imports {
			if strings.HasPrefix(imp, "go.starlark.net") && !within(pkg, starlark) {
				t.Errorf("%s imports %s: only %v may", pkg, imp, starlark)
			}
			if strings.HasPrefix(imp, "github.com/Azure/") && strings.HasSuffix(imp, "/fake") {
				t.Errorf("%s imports %s: the SDK's fakes are 17 MB, and for tests", pkg, imp)
			}
			own, ok := strings.CutPrefix(imp, module)
			if !ok || own == "internal/pattern" {
				continue
			}
			for _, r := range rules {
				if within(pkg, []string{r.pkg}) && (r.may != nil || len(r.may) == 0 && isLeaf(r.pkg)) && !within(own, r.may) {
					t.Errorf("%s imports %s: it may import %v", pkg, own, r.may)
				}
			}
			if within(own, labParts) && !within(pkg, labParts) && pkg+" "+own != "cmd/swarmscript internal/lab/serve" {
				t.Errorf("%s imports %s, which is of a lab's process", pkg, own)
			}
			if pkg == "internal/lab" && !slices.Contains([]string{"internal/lab/api", "internal/local", "internal/host", "internal/remote"}, own) && !within(own, data) {
				t.Errorf("%s imports %s: it is the client alone", pkg, own)
			}
			if pkg == "internal/azure" && !slices.Contains([]string{"internal/remote", "internal/host", "internal/local", "internal/sshkey"}, own) && !within(own, data) {
				t.Errorf("%s imports %s: it knows Azure alone, not what emulates it", pkg, own)
			}
			if within(own, forTests) && !within(pkg, []string{"bench"}) {
				t.Errorf("%s imports %s, which is for tests", pkg, own)
			}
		}
	}
}

// isLeaf reports whether a rule without packages means none, not any.
func isLeaf(pkg string) bool {
	return slices.Contains([]string{"internal/value", "internal/diag", "internal/pattern", "internal/certificate", "internal/packetfilter", "internal/oci", "internal/sshkey", "internal/swarm/placement", "internal/lab/api", "internal/lab/store", "internal/lab/wire", "internal/lab/whatif/outcome", "internal/azure/balance"}, pkg)
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
		if d.IsDir() && (name == "testengine" || name == "testhost" || name == "resourcetest" || name == "labtest" || name == "azuretest" || name == "testdata" || strings.HasPrefix(name, ".") && path != root) {
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
