package plan

import (
	"fmt"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// external reads what somebody else manages: lookup(...), external = True.
func (c Case) external(ch *Change) (*Change, diag.List) {
	ch.Action = Read
	if c.Absent {
		return ch, nil
	}
	var problem *diag.Diagnostic
	if ch.Kind.Find != nil {
		ch.Live, problem = c.meant(ch)
	} else {
		ch.Live, problem = c.lookedUp(ch)
	}
	if problem != nil {
		return nil, diag.List{problem}
	}
	if ch.Live != nil {
		ch.Name = ch.Live.Name
	}
	return ch, nil
}

// lookedUp returns the live object of a name. Of a versioned kind that is also
// the newest version of what some project declares under it.
func (c Case) lookedUp(ch *Change) (*resource.Object, *diag.Diagnostic) {
	name := liveName(ch)
	o := c.Named(name)
	versions, _ := ch.Kind.Handler.(resource.Versioner)
	var names []string
	var found []*resource.Object
	if o == nil {
		for _, other := range c.Objects() {
			shown := other.Name
			if versions != nil && other.Mark.Project != "" {
				shown = versions.Base(other.Name)
			}
			names = append(names, shown)
			if shown == name {
				found = append(found, other)
			}
		}
		if len(found) > 0 {
			o = newest(found)
		}
	}
	switch {
	case o == nil && ch.Kind.Missing != nil:
		summary, hint := ch.Kind.Missing(c.Decl.Scope)
		return nil, &diag.Diagnostic{Pos: c.Decl.Pos, Summary: summary, Hint: hint}
	case o == nil:
		p := &diag.Diagnostic{
			Pos: c.Decl.Pos, Summary: fmt.Sprintf("%s: there is no %s %q", ch.Address, ch.Kind.Name, name),
			Hint: diag.DidYouMean(name, names),
		}
		if p.Hint == "" {
			p.Hint = "it is only read, so it must exist before"
		}
		return nil, p
	case o.Mark.Project == c.Project && o.Mark.Address == c.Decl.Address && ch.Kind.Opens == "":
		// Once the script stopped to read it, it would be deleted.
		return nil, &diag.Diagnostic{
			Pos: c.Decl.Pos, Summary: fmt.Sprintf("%s: %s %q is this project's, but is only read", ch.Address, ch.Kind.Name, name),
			Detail: "what this project has made is declared by it, or deleted",
			Hint:   fmt.Sprintf("declare it; or let the project that shall have it take it over first, with --adopt %s", ch.Address.Short()),
		}
	}
	return o, nil
}

// knownOfOther returns an output of something that is only read, or one of its
// arguments as it is live.
func knownOfOther(c *Change, name string) (value.Value, bool) {
	if c.Live == nil || c.Blocked != "" {
		return nil, false
	}
	if v, ok := c.Live.Out[name]; ok {
		return v, true
	}
	f, ok := c.Kind.Schema.Field(name)
	if !ok || f.Index >= len(c.Live.Args) {
		return nil, false
	}
	v := c.Live.Mark.Conceal(c.Kind.Schema, c.Live.Args)[f.Index]
	if v == nil {
		v = f.Default
	}
	return f.Type.Given(v), true
}
