// Package builtins is what a script can call: one file per family. Each
// function checks its arguments, records what was declared, and returns; none
// of them contacts anything.
package builtins

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Inputs carries what one evaluation reads from outside its files, and what it
// hands back: env(), var(), read_file() and output() work on it. Use a new one
// for each evaluation.
type Inputs struct {
	// Env looks up an environment variable, as os.LookupEnv does. With nil
	// none is set.
	Env func(name string) (string, bool)

	// Environ lists the environment, as os.Environ does: a variable that is set
	// there for a script that does not have it is an error.
	Environ []string

	// Vars are the values of --var name=value.
	Vars map[string]string

	// VarFiles are the files of --var-file; of two that set a name the later
	// one wins.
	VarFiles []*VarFile

	// Provider is where a vm() comes from that does not say it, one of Providers;
	// "" is the first of them.
	Provider string

	// Keep is where what compose files come to is kept; see [compose.Options].
	Keep string

	declared map[string]bool // variables that the script asked for
	outputs  []Output
	byName   map[string]int // their indexes
	earlier  []Output       // those before this input of a session
}

// Output is a value that a script shows at the end of an apply.
type Output struct {
	Name        string
	Value       value.Value
	Description string
	Sensitive   bool
	Pos         diag.Pos
}

// Predeclared returns the builtins that work on the inputs.
func (in *Inputs) Predeclared() starlark.StringDict {
	return starlark.StringDict{
		"env":       starlark.NewBuiltin("env", in.env),
		"var":       starlark.NewBuiltin("var", in.variable),
		"read_file": starlark.NewBuiltin("read_file", in.readFile),
		"template":  starlark.NewBuiltin("template", in.template),
		"output":    starlark.NewBuiltin("output", in.output),
	}
}

// Outputs returns what the script declared with output(), in order.
func (in *Inputs) Outputs() []Output { return in.outputs }

// Declared returns the names of the variables that the script asked for.
func (in *Inputs) Declared() []string {
	names := make([]string, 0, len(in.declared))
	for name := range in.declared {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Unknown returns an error for every variable that was given by a flag, a file
// or the environment and that the script, which has been evaluated, did not
// ask for.
func (in *Inputs) Unknown() diag.List {
	known := in.Declared()
	var list diag.List
	add := func(where, name string) {
		if !in.declared[name] {
			list = append(list, &diag.Diagnostic{
				Summary: fmt.Sprintf("%s: the script has no variable %q", where, name),
				Hint:    diag.DidYouMean(name, known),
			})
		}
	}
	flags := make([]string, 0, len(in.Vars))
	for name := range in.Vars {
		flags = append(flags, name)
	}
	sort.Strings(flags)
	for _, name := range flags {
		add("--var", name)
	}
	for _, f := range in.VarFiles {
		for _, e := range f.Values.Entries {
			add(f.Name, e.Key)
		}
	}
	environ := slices.Sorted(slices.Values(in.Environ))
	for _, e := range environ {
		key, _, _ := strings.Cut(e, "=")
		if name, ok := strings.CutPrefix(key, EnvPrefix); ok {
			add(key, name)
		}
	}
	return list
}

var identifier = pattern.Of(`^[A-Za-z_][A-Za-z0-9_]*$`)

// ParseVar splits the argument of --var.
func ParseVar(arg string) (name, val string, err error) {
	name, val, ok := strings.Cut(arg, "=")
	if !ok {
		return "", "", fmt.Errorf("--var %s: want name=value", name)
	}
	if !identifier().MatchString(name) {
		return "", "", fmt.Errorf("--var: %q is not a name", name)
	}
	return name, val, nil
}

// missing stands for an input that was not given. The problem is reported, and
// the script goes on, so that the next missing input is reported as well.
func missing(kind, name string) value.Value {
	return value.Ref{Address: value.NewAddress("", kind, name), Output: "value", Type: "string"}
}
