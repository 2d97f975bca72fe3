package builtins

import (
	"fmt"
	"slices"

	"go.starlark.net/starlark"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Images that are in no registry: an engine gets them from another one, and whoever
// runs them waits for that. What follows from an image's declaration for its copies
// and its users is decided here.

// copyFound are the arguments of a copy that follow from its image.
var copyFound = []string{"tags", "id", "size", "source"}

// isCopy reports whether a kind is a copy of an image.
func isCopy(k *resource.Kind) bool { return k.Name == "image_copy" }

// isImage reports whether a kind is an image that can be copied.
func isImage(k *resource.Kind) bool { return k.Name == "build" || k.Name == "image" }

// copied gives a copy what its image's declaration says.
func (c *call) copied() {
	if !isCopy(c.kind) || c.failed || c.decl.External {
		return
	}
	for _, name := range copyFound {
		if f, _ := c.kind.Schema.Field(name); c.decl.Args[f.Index] != nil {
			c.report(name, -1, "%s: %s: it is found out, not given", c.d.name, name)
		}
	}
	f, _ := c.kind.Schema.Field("image")
	v := c.decl.Args[f.Index]
	if v == nil || c.failed {
		return // which is reported
	}
	from := c.d.recorder.imageOf(v)
	switch {
	case from == nil:
		c.report("image", 0, "%s: image: want build(...) or image(...) of another engine", c.d.name)
	case from.Scope == c.decl.Scope:
		c.report("image", 0, "%s: image: %s is on this engine already", c.d.name, from.Address.Short()).Hint = "engine = says which one gets it"
	case from.Kind.Name == "build" && argument(from, "push") == true:
		c.report("image", 0, "%s: image: %s is pushed, and is not copied", c.d.name, from.Address.Short()).Hint = "the nodes pull it from its registry; or leave push out"
	default:
		c.takeFrom(from)
	}
}

// imageOf is the declaration of the image that a handle or an output of it means.
func (r *Recorder) imageOf(v value.Value) *resource.Declaration {
	ref, ok := v.(value.Ref)
	if !ok {
		return nil
	}
	if d := r.declared[ref.Address]; d != nil && isImage(d.Kind) {
		return d
	}
	return nil
}

// takeFrom fills in what follows from the image.
func (c *call) takeFrom(from *resource.Declaration) {
	output := func(name, typ string) value.Value {
		return value.Ref{Address: from.Address, Output: name, Type: typ}
	}
	for name, v := range map[string]value.Value{
		"image": output("ref", "string"), "id": output("id", "string"), "size": output("size", "int"), "source": from.Scope,
	} {
		f, _ := c.kind.Schema.Field(name)
		c.decl.Args[f.Index] = v
	}
	if from.Kind.Name == "build" {
		f, _ := c.kind.Schema.Field("tags")
		c.decl.Args[f.Index] = argument(from, "tags")
	}
}

// copies declares the copies that copy_to= asks for.
func (c *call) copies() {
	if c.copyTo == nil || c.copyTo == starlark.None || c.failed {
		return
	}
	places := []starlark.Value{c.copyTo}
	if list, ok := c.copyTo.(starlark.Iterable); ok {
		places = slices.Collect(starlark.Elements(list))
	}
	done := map[string]bool{c.decl.Scope: true}
	for i, place := range places {
		if _, isEngine := place.(*EngineHandle); !isEngine {
			if _, _, ok := hostOf(place); !ok {
				c.report("copy_to", -1, "%s: copy_to[%d]: got %s, want %s", c.d.name, i, place.Type(), scopeWanted["engine"])
				continue
			}
		}
		c.copyOn(place, done)
	}
}

// copyOn declares the copy on one engine, where none is declared yet.
func (c *call) copyOn(place starlark.Value, done map[string]bool) {
	r := c.d.recorder
	kind := r.kinds[slices.IndexFunc(r.kinds, isCopy)]
	of := &call{
		d: &declarer{recorder: r, name: c.d.name + ": copy_to", kinds: []*resource.Kind{kind}}, thread: c.thread, s: c.s, pos: c.pos, kind: kind,
		decl:  &resource.Declaration{Kind: kind, Args: make(value.Struct, len(kind.Schema.Fields())), Pos: c.pos},
		place: func(string) diag.Pos { return c.s.ExpandArg(c.pos, "copy_to", -1) },
	}
	of.bind(c.decl.Address.Name(), place)
	if done[of.decl.Scope] || of.failed {
		return
	}
	done[of.decl.Scope] = true
	f, _ := kind.Schema.Field("image")
	of.decl.Args[f.Index] = value.Ref{Address: c.decl.Address}
	if of.copied(); of.failed {
		return
	}
	if p := r.add(of.decl); p != nil {
		c.s.Report(c.thread, p)
	} else if caller, ok := r.callers[c.decl]; ok {
		r.callers[of.decl] = caller
	}
}

// followCopies lets the users of images wait for the copies of these, and keeps
// services from asking a registry for what is in none.
func (r *Recorder) followCopies() {
	copies := map[value.Address][]value.Address{} // by the image
	named := map[string]*resource.Declaration{}   // by a name that is in no registry
	local := false
	for _, d := range r.program.Declarations {
		switch {
		case d.External:
		case isCopy(d.Kind):
			if from := r.imageOf(argument(d, "image")); from != nil {
				local = true
				copies[from.Address] = append(copies[from.Address], d.Address)
				if ref, ok := argument(from, "ref").(string); ok {
					named[ref] = from
				}
			}
		case d.Kind.Name == "build" && argument(d, "push") != true:
			local = true
			tags, _ := argument(d, "tags").(value.List)
			for _, t := range tags {
				if tag, ok := t.(string); ok {
					named[tag] = d
				}
			}
		}
	}
	for _, d := range r.program.Declarations {
		if !local {
			return
		}
		f, ok := d.Kind.Schema.Field("image")
		if !ok || d.External || isCopy(d.Kind) || f.Type.RefKind != "image" {
			continue
		}
		from := r.imageOf(d.Args[f.Index])
		if from == nil {
			text, _ := d.Args[f.Index].(string)
			from = named[text]
		}
		pushed := from != nil && from.Kind.Name == "build" && argument(from, "push") == true
		pulled := from != nil && from.Kind.Name == "image" && copies[from.Address] == nil
		if from != nil && !pushed && !pulled {
			r.follow(d, from, copies[from.Address])
		}
	}
}

// follow lets a user of an image wait for the copies of it: a service for all, since
// its tasks may be anywhere, a container for that on its engine.
func (r *Recorder) follow(d, from *resource.Declaration, copies []value.Address) {
	if d.Scope != from.Scope && d.Kind.Scope == "engine" {
		copies = slices.DeleteFunc(slices.Clone(copies), func(a value.Address) bool { return r.declared[a].Scope != d.Scope })
	}
	d.Follows = copies
	if d.Kind.Name != "service" {
		return
	}
	f, ok := d.Kind.Schema.Field("resolve_image")
	if ok && d.Args[f.Index] == nil && argument(d, "no_resolve_image") != true {
		args := slices.Clone(d.Args)
		args[f.Index] = "never"
		d.SetArgs(args)
	}
	if _, isRef := argument(d, "image").(value.Ref); isRef || from.Kind.Name != "build" {
		return
	}
	w := &diag.Diagnostic{
		Severity: diag.Warning, Pos: d.Pos,
		Summary: fmt.Sprintf("%s names its image %s: when %s builds another one of that name, its tasks keep the old one", d.Address.Short(), argument(d, "image"), from.Address.Short()),
		Hint:    "give it what build() returns: image = that; its name changes with its content",
	}
	if !slices.ContainsFunc(r.program.Warnings, func(o *diag.Diagnostic) bool { return o.Summary == w.Summary && o.Pos == w.Pos }) {
		r.program.Warnings = append(r.program.Warnings, w)
	}
}
