package builtins

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
	"github.com/swarmscript/swarmscript/lang"
)

// lookup(kind, name, *, cluster=None, engine=None, host=None, provider=None) reads what is live, whoever's
// it is. Its handle reads back as deferred values what the object has: outputs
// and arguments.
func (r *Recorder) lookup(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var kindName, name string
	var cluster, engine, host, provider starlark.Value
	if len(args) > 2 {
		return nil, fmt.Errorf("lookup: got %d positional arguments, want 2: a kind and a name", len(args))
	}
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "kind", &kindName, "name", &name, "cluster??", &cluster, "engine??", &engine, "host??", &host, "provider??", &provider); err != nil {
		return nil, err
	}
	given := map[string]starlark.Value{"swarm": cluster, "engine": engine, "host": host}
	if provider != nil {
		given[provider.Type()] = provider
	}
	maps.DeleteFunc(given, func(_ string, v starlark.Value) bool { return v == nil })
	if len(given) > 1 {
		return nil, errors.New("lookup: give one of cluster, engine, host and provider")
	}
	kinds := slices.DeleteFunc(slices.Clone(r.kinds), func(k *resource.Kind) bool { return k.Name != kindName })
	if len(kinds) == 0 {
		var names []string
		for _, k := range r.kinds {
			names = append(names, k.Name)
		}
		return nil, &diag.Diagnostic{Summary: fmt.Sprintf("lookup: there is no kind %q", kindName), Hint: diag.DidYouMean(kindName, names)}
	}
	kind, scope := kinds[0], cluster
	for typ, v := range given {
		i := slices.IndexFunc(kinds, func(k *resource.Kind) bool { return k.Scope == typ })
		if i < 0 {
			return nil, fmt.Errorf("lookup: a %s lives in no %s", kindName, typ)
		}
		kind, scope = kinds[i], v
	}
	c := &call{
		d: &declarer{recorder: r, name: b.Name(), kinds: kinds}, thread: thread, s: lang.FromThread(thread), pos: lang.CallPos(thread), kind: kind,
		decl: &resource.Declaration{Kind: kind, Args: make(value.Struct, len(kind.Schema.Fields())), External: true, NameGiven: true},
	}
	c.decl.Pos = c.pos
	if lang.Loading(thread) {
		c.report("", -1, "lookup is called while its module is loaded").Detail =
			"a module declares nothing when it is loaded: put this into a function that the script calls"
	}
	if c.nameArg(starlark.String(name), "name", 1) == "" {
		return &Handle{decl: c.decl}, nil
	}
	if f := kind.Schema.NameField(); f != nil {
		c.set(f, starlark.String(name), "", 1)
	}
	c.bind(name, scope)
	return r.lookedUp(c), nil
}

// lookedUp records a look-up. What was looked up before is the same.
func (r *Recorder) lookedUp(c *call) *Handle {
	d := c.decl
	if old := r.declared[d.Address]; old != nil && r.lookups[old] {
		return &Handle{decl: old}
	}
	h := &Handle{decl: d}
	if c.failed {
		return h
	}
	r.lookups[d] = true
	if p := r.add(d); p != nil {
		c.s.Report(c.thread, p)
		return h
	}
	if d.Kind.Opens != "" {
		r.opened(c.thread, h)
	}
	return h
}

// ownLookups finds look-ups of what the script itself declares, under whatever
// address.
func (r *Recorder) ownLookups() (out diag.List) {
	for _, d := range r.program.Declarations {
		if !r.lookups[d] {
			continue
		}
		name, _ := liveNameOf(d)
		if own := r.holder(name); own != nil {
			out = append(out, r.ownLookup(d, own))
		}
	}
	return out
}

// ownLookup says that what is looked up is declared by the same script.
func (r *Recorder) ownLookup(d, own *resource.Declaration) *diag.Diagnostic {
	return &diag.Diagnostic{
		Pos:     d.Pos,
		Summary: fmt.Sprintf("lookup: %s is declared by this script", own.Address.Short()),
		Hint:    fmt.Sprintf("use what %s(...) returns", d.Kind.Name),
		Related: []diag.Note{{Pos: own.Pos, Text: "it is declared here"}},
	}
}
