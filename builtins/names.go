package builtins

import (
	"slices"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// orderByName puts resources after those that they name in plain text, as in
// networks = ["backend"], or need, as a file its folder, where the script
// declares them: what a handle would say. Names of versioned kinds are left
// alone: a secret's live name is not the one in the script.
func (r *Recorder) orderByName() {
	fields := map[*resource.Kind][]*schema.Field{}
	for _, d := range r.program.Declarations {
		refs, ok := fields[d.Kind]
		if !ok {
			here := r.livesIn(d.Kind.Scope)
			for _, f := range d.Kind.Schema.Fields() {
				if mayRefer(f.Type, here) {
					refs = append(refs, f)
				}
			}
			fields[d.Kind] = refs
		}
		after := func(kind, name string) {
			used := r.holder(liveName{d.Scope, kind, name})
			if used != nil && used != d && !used.Kind.Versioned && !slices.Contains(d.After, used.Address) {
				d.After = append(d.After, used.Address)
			}
		}
		for _, f := range refs {
			namesIn(f.Type, d.Args[f.Index], after)
		}
		if d.Kind.Needs != nil && !d.External {
			for _, n := range d.Kind.Needs(d.Args) {
				after(n.Kind, n.Name)
			}
		}
	}
}

// livesIn tells which kinds live in scopes of a type: plain text names nothing
// in another scope.
func (r *Recorder) livesIn(scope string) func(kind string) bool {
	return func(kind string) bool {
		return slices.ContainsFunc(r.kinds, func(k *resource.Kind) bool { return k.Name == kind && k.Scope == scope })
	}
}

// mayRefer reports whether a handle of one of those kinds may be given somewhere
// in a type.
func mayRefer(t *schema.Type, kinds func(string) bool) bool {
	switch {
	case t.RefKind != "":
		return kinds(t.RefKind)
	case t.Elem != nil:
		return mayRefer(t.Elem, kinds)
	case t.Struct != nil:
		for _, f := range t.Struct.Fields() {
			if mayRefer(f.Type, kinds) {
				return true
			}
		}
	}
	return false
}

// namesIn calls fn for every plain name that stands where a handle may.
func namesIn(t *schema.Type, v value.Value, fn func(kind, name string)) {
	switch x := v.(type) {
	case string:
		if t.RefKind != "" {
			fn(t.RefKind, t.RefersTo(x))
		}
	case value.List:
		for _, e := range x {
			namesIn(t.Elem, e, fn)
		}
	case value.Struct:
		for i, e := range x {
			if e != nil {
				namesIn(t.Struct.Fields()[i].Type, e, fn)
			}
		}
	}
}
