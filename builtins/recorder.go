package builtins

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Recorder takes down what one evaluation of a script declares, or the inputs of
// an interactive session: [Recorder.Next].
type Recorder struct {
	inputs *Inputs
	kinds  []*resource.Kind
	recorded
	earlier *recorded // what was declared before this input of a session
}

// recorded is all that was declared.
type recorded struct {
	program  resource.Program
	declared map[value.Address]*resource.Declaration
	// renamed holds what has a live name other than its address's; the others
	// are found by their addresses, which spares ten thousand of them a map.
	renamed  map[liveName]*resource.Declaration
	short    map[string][]value.Address // by the short form; made when first asked for
	scopes   map[string]*resource.Scope
	swarms   []*Handle             // declared ones, in order
	implicit *Handle               // the swarm that the default engine is in already
	used     *resource.Declaration // the first that was bound to it
	project  diag.Pos
	moves    []move
	logins   []*resource.Login
	callers  map[*resource.Declaration]diag.Pos // where the script calls the function that declares
	lookups  map[*resource.Declaration]bool
	// found are the engines of hosts that no docker_install declares, by the
	// first declaration that needs them; founders the nodes that swarm.init
	// declares of its host.
	found    map[*resource.Declaration]*resource.Declaration
	founders map[*resource.Declaration]bool
}

// NewRecorder returns a recorder for scripts that may declare those kinds.
func NewRecorder(inputs *Inputs, kinds []*resource.Kind) *Recorder {
	return &Recorder{inputs: inputs, kinds: kinds, recorded: recorded{
		declared: map[value.Address]*resource.Declaration{},
		renamed:  map[liveName]*resource.Declaration{},
		scopes:   map[string]*resource.Scope{},
		callers:  map[*resource.Declaration]diag.Pos{},
		lookups:  map[*resource.Declaration]bool{},
		found:    map[*resource.Declaration]*resource.Declaration{},
		founders: map[*resource.Declaration]bool{},
	}}
}

// Predeclared returns all builtins: those of the inputs, one for each kind,
// and one for each struct that an argument may be.
func (r *Recorder) Predeclared() starlark.StringDict {
	out := r.inputs.Predeclared()
	out["project"] = starlark.NewBuiltin("project", r.projectBuiltin)
	out["engine"] = starlark.NewBuiltin("engine", r.engine)
	out["host"] = starlark.NewBuiltin("host", r.host)
	out["lab"] = starlark.NewBuiltin("lab", r.lab)
	out["azure"] = starlark.NewBuiltin("azure", r.azure)
	out["local"] = starlark.NewBuiltin("local", r.local)
	out["registry"] = starlark.NewBuiltin("registry", r.registry)
	out["lifecycle"] = starlark.NewBuiltin("lifecycle", lifecycle)
	out["lookup"] = starlark.NewBuiltin("lookup", r.lookup)
	out["stack"] = starlark.NewBuiltin("stack", r.stack)
	out["moved"] = starlark.NewBuiltin("moved", r.moved)
	byName := map[string][]*resource.Kind{}
	for _, k := range r.kinds {
		byName[k.Name] = append(byName[k.Name], k)
	}
	for name, kinds := range byName {
		if name == "swarm" {
			continue
		}
		d := &declarer{recorder: r, name: BuiltinName(kinds[0]), kinds: kinds, scopeFirst: kinds[0].Scope == "host"}
		out[d.name] = starlark.NewBuiltin(d.name, d.call)
	}
	if k := byName["swarm"]; k != nil {
		out["swarm"] = r.swarmModule(k, byName["node"])
	}
	for _, s := range Structs(r.kinds) {
		out[s.Name] = starlark.NewBuiltin(s.Name, (&recordMaker{s}).call)
	}
	return out
}

// BuiltinName is the builtin that declares a kind.
func BuiltinName(k *resource.Kind) string {
	switch k.Name {
	case "swarm":
		return "swarm.init"
	case "docker":
		return "docker_install"
	}
	return k.Name
}

// Structs returns the structs that arguments of the kinds may be, by name:
// each has a builtin that makes it.
func Structs(kinds []*resource.Kind) []*schema.Struct {
	found := map[string]*schema.Struct{}
	var visit func(t *schema.Type)
	visit = func(t *schema.Type) {
		switch {
		case t.Elem != nil:
			visit(t.Elem)
		case t.Struct != nil && found[t.Struct.Name] == nil:
			found[t.Struct.Name] = t.Struct
			for _, f := range t.Struct.Fields() {
				visit(f.Type)
			}
		}
	}
	for _, k := range kinds {
		for _, f := range k.Schema.Fields() {
			visit(f.Type)
		}
	}
	names := slices.Sorted(maps.Keys(found))
	out := make([]*schema.Struct, len(names))
	for i, n := range names {
		out[i] = found[n]
	}
	return out
}

// Program returns what was declared, and what only the whole script shows to
// be wrong.
func (r *Recorder) Program() (*resource.Program, diag.List) {
	var problems diag.List
	p := &r.program
	if p.Project == "" && len(p.Declarations) > 0 && r.onlyLabs() {
		p.Project = "lab" // nobody else is in it
	}
	if p.Project == "" && len(p.Declarations) > 0 {
		problems = append(problems, &diag.Diagnostic{
			Pos:     p.Declarations[0].Pos,
			Summary: "the script declares no project",
			Detail:  "what is made is marked with the project's name, so that the next run finds it",
			Hint:    `begin with project("NAME", env = "ENV")`,
		})
	}
	r.orderByName()
	problems = append(problems, r.ownLookups()...)
	problems = append(problems, r.oneSwarmEach()...)
	problems = append(problems, r.oneBuildEach()...)
	problems = append(problems, r.completeAzure()...)
	problems = append(problems, r.openFirewalls()...)
	r.followCopies()
	p.Moves = nil
	for _, m := range r.moves {
		got, problem := r.resolveMove(m)
		if problem != nil {
			problems = append(problems, problem)
			continue
		}
		p.Moves = append(p.Moves, got)
	}
	for _, d := range p.Declarations {
		d.Refs() // from now on they are read by several at once
	}
	p.Scopes = p.Scopes[:0]
	for _, name := range slices.Sorted(maps.Keys(r.scopes)) {
		p.Scopes = append(p.Scopes, r.scopes[name])
	}
	p.Logins = r.issuedLogins()
	p.Outputs = nil
	for _, o := range r.inputs.Outputs() {
		p.Outputs = append(p.Outputs, resource.OutputValue(o))
	}
	problems = append(problems, r.inputs.Unknown()...)
	return p, problems
}

// onlyLabs reports whether all that is declared is in labs.
func (r *Recorder) onlyLabs() bool {
	labs := false
	for _, s := range r.scopes {
		if s.Config != nil && s.Type != "lab" {
			return false
		}
		labs = labs || s.Type == "lab"
	}
	return labs
}

// liveName is a name that one object of a scope can have.
type liveName struct{ scope, kind, name string }

// liveNameOf returns the name that a declared object will have, where it is
// known; what is only read may be read twice.
func liveNameOf(d *resource.Declaration) (liveName, bool) {
	n := liveName{d.Scope, d.Kind.Name, d.Address.Name()}
	if f := d.Kind.Schema.NameField(); f != nil {
		var ok bool
		if n.name, ok = d.Args[f.Index].(string); !ok {
			return n, false
		}
	}
	if d.Kind.Single {
		n.name = ""
	}
	return n, !d.External
}

// holder returns the declaration of the object that will have a live name.
func (r *Recorder) holder(n liveName) *resource.Declaration {
	if d := r.renamed[n]; d != nil {
		return d
	}
	d := r.declared[value.NewAddress(n.scope, n.kind, n.name)]
	if d == nil {
		return nil
	}
	if has, ok := liveNameOf(d); !ok || has != n {
		return nil
	}
	return d
}

// add records a declaration, or returns the problem with its address.
func (r *Recorder) add(d *resource.Declaration) *diag.Diagnostic {
	old := r.declared[d.Address]
	switch {
	case old == nil:
	case r.founders[old] && d.On == old.On: // swarm.join says more of the same node
		r.forget(old)
	case r.isEarlier(old) && !r.lookups[d]:
		r.forget(old)
	case r.lookups[d]:
		return r.ownLookup(d, old)
	case r.lookups[old]:
		return r.ownLookup(old, d)
	default:
		return &diag.Diagnostic{
			Pos:     d.Pos,
			Summary: fmt.Sprintf("%s is declared twice", d.Address.Short()),
			Detail:  "an address names one resource",
			Related: r.first(old),
		}
	}
	if name, ok := liveNameOf(d); ok {
		renamed := d.Kind.Single || name.name != d.Address.Name()
		old := r.renamed[name]
		if renamed { // otherwise nothing else has its address
			old = r.holder(name)
		}
		if old != nil {
			summary := fmt.Sprintf("%s has the name of %s, %q", d.Address.Short(), old.Address.Short(), name.name)
			if d.Kind.Single {
				summary = fmt.Sprintf("%s: %s is declared there already", d.Address.Short(), old.Address.Short())
			}
			return &diag.Diagnostic{
				Pos: d.Pos, Summary: summary, Detail: "only one of them could be in " + d.Scope,
				Related: r.first(old),
			}
		}
		if renamed {
			r.renamed[name] = d
		}
	}
	r.short = nil
	r.declared[d.Address] = d
	if old != nil { // the new one takes its place
		r.program.Declarations[slices.Index(r.program.Declarations, old)] = d
		return nil
	}
	r.program.Declarations = append(r.program.Declarations, d)
	return nil
}

// first says where an earlier declaration is and, if that is in a function,
// which call of it that was: the function may have made both.
func (r *Recorder) first(old *resource.Declaration) []diag.Note {
	notes := []diag.Note{{Pos: old.Pos, Text: "the first is here"}}
	if caller, ok := r.callers[old]; ok {
		notes = append(notes, diag.Note{Pos: caller, Text: "called from here"})
	}
	return notes
}

// find returns the address of a declared resource by its full or short form.
func (r *Recorder) find(s string) (value.Address, *diag.Diagnostic) {
	if r.declared[value.Address(s)] != nil {
		return value.Address(s), nil
	}
	if r.short == nil {
		r.short = make(map[string][]value.Address, len(r.program.Declarations))
		for _, d := range r.program.Declarations {
			r.short[d.Address.Short()] = append(r.short[d.Address.Short()], d.Address)
		}
	}
	found := r.short[s]
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		names := make([]string, len(r.program.Declarations))
		for i, d := range r.program.Declarations {
			names[i] = d.Address.Short()
		}
		return "", &diag.Diagnostic{Summary: fmt.Sprintf("%s is not declared", s), Hint: diag.DidYouMean(s, names)}
	}
	full := make([]string, len(found))
	for i, a := range found {
		full[i] = string(a)
	}
	return "", &diag.Diagnostic{Summary: fmt.Sprintf("%s could be %s", s, strings.Join(full, " or "))}
}
