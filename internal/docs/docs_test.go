package docs

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/builtins"
	"github.com/swarmscript/swarmscript/internal/registry"
)

const root = "../.."

// The generated part of spec.md is what the schemas say now.
func TestSpecIsCurrent(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "spec.md"))
	if err != nil {
		t.Fatal(err)
	}
	var part bytes.Buffer
	if err := Markdown(&part); err != nil {
		t.Fatal(err)
	}
	want, err := Splice(string(text), part.String())
	if err != nil {
		t.Fatal(err)
	}
	if want != string(text) {
		t.Error("spec.md is out of date: run make spec")
	}
}

// Every proof is a test that exists, and every kind has those it needs.
func TestProofs(t *testing.T) {
	tests := map[string][]string{} // functions of a file
	for kind, proofs := range Proofs {
		if !slices.ContainsFunc(All(), func(e *Entry) bool { return e.Kind != nil && e.Kind.Name == kind }) {
			t.Errorf("proofs of %s, which is no kind", kind)
		}
		for _, p := range proofs {
			if tests[p.File] == nil {
				tests[p.File] = testsIn(t, p.File)
			}
			if !slices.Contains(tests[p.File], p.Test) {
				t.Errorf("%s: %s: there is no test %s in %s", kind, p.What, p.Test, p.File)
			}
		}
	}
	for _, k := range registry.Kinds() {
		for _, what := range neededOf(k) {
			if _, ok := find(k.Name, what); !ok {
				t.Errorf("%s: there is no proof of %q", k.Name, what)
			}
		}
	}
}

// Every module of the standard library has proofs, which are tests that exist.
func TestModuleProofs(t *testing.T) {
	modules, err := Modules()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range modules {
		if len(ModuleProofs[m.Name]) == 0 {
			t.Errorf("%s: there is no proof", m.Name)
		}
		for _, p := range ModuleProofs[m.Name] {
			if !slices.Contains(testsIn(t, p.File), p.Test) {
				t.Errorf("%s: %s: there is no test %s in %s", m.Name, p.What, p.Test, p.File)
			}
		}
	}
	if len(ModuleProofs) != len(modules) {
		t.Errorf("there are proofs of %d modules, and %d modules", len(ModuleProofs), len(modules))
	}
}

func testsIn(t *testing.T, file string) []string {
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Error(err)
		return []string{}
	}
	names := []string{}
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") {
			names = append(names, fn.Name.Name)
		}
	}
	return names
}

// What is documented is what a script can call, and the other way round.
func TestEveryBuiltin(t *testing.T) {
	language := []string{"format", "fail", "print", "struct", "json", "math", "time"} // the interpreter's own
	want := append(builtins.NewRecorder(&builtins.Inputs{}, registry.Kinds()).Predeclared().Keys(), language...)
	var got []string
	for _, e := range All() {
		name, _, _ := strings.Cut(e.Name, ".")
		got = append(got, name)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("documented are\n%q, there are\n%q", got, want)
	}
}

// Every argument says what it is.
func TestEveryArgumentIsDocumented(t *testing.T) {
	for _, e := range All() {
		if e.Doc == "" {
			t.Errorf("%s has no documentation", e.Name)
		}
		for _, r := range e.Rows {
			if r.Doc == "" {
				t.Errorf("%s: %s has no documentation", e.Name, r.Name)
			}
		}
	}
}
