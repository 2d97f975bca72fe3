package plan

import (
	"slices"
	"strings"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// versioned decides about kinds of which a change makes a new version, and
// about the older ones that are kept: they move with it.
func (c Case) versioned(ch *Change) (*Change, diag.List) {
	earlier := c.earlier(ch)
	if earlier != nil && len(c.Ours) == 0 {
		c.Ours = []*resource.Object{earlier}
	}
	ch, problems := c.version(ch)
	if ch == nil || c.Absent {
		return ch, problems
	}
	if earlier != nil && c.Ours[0] != earlier && earlier != ch.Live {
		c.Ours = append(slices.Clone(c.Ours), earlier)
	}
	for _, o := range c.Ours {
		if o.Mark.Address == ch.Address || o == ch.Live && ch.Action != NewVersion {
			continue
		}
		ch.Former = append(ch.Former, o)
		reason := "adopted"
		if o.Mark.Address != "" {
			reason = "moved from " + o.Mark.Address.Short()
		}
		if ch.Action == NoOp || o == earlier && ch.Reason == "" {
			ch.Reason = reason
		}
		if ch.Action == NoOp {
			ch.Action = Update
		}
	}
	return ch, nil
}

// earlier returns what has the declared name itself, as docker gives it, and nobody's
// mark, where it may be taken over and is not known to hold what is declared: it becomes
// the version before ours, and goes as old versions do.
func (c Case) earlier(ch *Change) *resource.Object {
	if c.Absent || !c.Adopt && !c.AdoptFree {
		return nil
	}
	p, ok := ch.Kind.Handler.(resource.PlainNamer)
	if !ok {
		return nil
	}
	name, plain := p.PlainName(ch.Args)
	if o := c.Named(name); plain && o != nil && o.Mark.Project == "" && c.mayTake(o) && !c.holds(o, ch.Args) {
		return o
	}
	return nil
}

func (c Case) version(ch *Change) (*Change, diag.List) {
	if o := c.kept(ch); o != nil {
		ch.Live, ch.Name, ch.Mark.Hash = o, o.Name, o.Mark.Hash
		c.compare(ch)
		return ch, nil
	}
	name, hash, known := ch.Kind.Handler.(resource.Versioner).Version(ch.Args, c.HashKey)
	if known {
		ch.Name, ch.Mark.Hash = name, hash
	}
	if c.Absent {
		ch.Action = Create
		return ch, nil
	}
	found := c.plain(ch)
	if known && found == nil {
		if found = c.ourVersion(name, hash); found == nil {
			var problem *diag.Diagnostic
			if found, problem = c.adopted(name); problem != nil {
				return nil, diag.List{problem}
			}
		}
	}
	if found != nil {
		ch.Live, ch.Name = found, found.Name
		c.compare(ch)
		return ch, nil
	}
	if len(c.Ours) == 0 {
		ch.Action = Create
		if plain, ok := c.plainName(ch); ok && known {
			ch.Name = plain
		}
		return ch, nil
	}
	ch.Live = newest(c.Ours)
	ch.Action = NewVersion
	ch.Fields = ch.Kind.Schema.Diff(ch.Args, ch.Live.Mark.Conceal(ch.Kind.Schema, ch.Live.Args), ch.Live.Mark.Owned())
	for i, f := range ch.Kind.Schema.Fields() {
		if f.WriteOnly && ch.Args[i] != nil {
			ch.Fields = append(ch.Fields, schema.Change{
				Path: f.Name, Field: f, Type: f.Type, After: ch.Args[i], Secret: f.Secret, Unknown: !value.Known(ch.Args[i]),
			})
		}
	}
	return ch, nil
}

// ourVersion returns the live object that is a version of ours: by the name
// that a version has or, where it was taken over under another one, by the hash
// in its mark.
func (c Case) ourVersion(name, hash string) *resource.Object {
	var marked *resource.Object
	for _, o := range c.Ours {
		switch {
		case o.Name == name:
			return o
		case o.Mark.Hash == hash:
			marked = o
		}
	}
	return marked
}

// plain returns the object that has the declared name itself, such as docker
// gives it, where it may be taken over and is known to hold what is declared.
func (c Case) plain(ch *Change) *resource.Object {
	if !c.Adopt && !c.AdoptFree {
		return nil
	}
	if o := c.Named(liveName(ch)); o != nil && len(c.Ours) == 0 && c.mayTake(o) && c.holds(o, ch.Args) {
		return o
	}
	return nil
}

// plainName is the name of a first version that shall have the declared one
// itself, where nothing else has it.
func (c Case) plainName(ch *Change) (string, bool) {
	p, ok := ch.Kind.Handler.(resource.PlainNamer)
	if !ok {
		return "", false
	}
	name, ok := p.PlainName(ch.Args)
	return name, ok && c.Named(name) == nil
}

// kept returns the version that stays because lifecycle(ignore_changes=) names
// what a version is made from, or nil. Under another name there is none to keep.
func (c Case) kept(ch *Change) *resource.Object {
	if c.Absent || len(c.Ours) == 0 {
		return nil
	}
	ignored := slices.ContainsFunc(ch.Kind.Schema.Fields(), func(f *schema.Field) bool {
		return f.WriteOnly && slices.Contains(c.Decl.Lifecycle.IgnoreChanges, f.Name)
	})
	o := newest(c.Ours)
	if !ignored || ch.Kind.Handler.(resource.Versioner).Base(o.Name) != liveName(ch) {
		return nil
	}
	return o
}

func newest(objects []*resource.Object) *resource.Object {
	return slices.MaxFunc(objects, func(a, b *resource.Object) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
}
