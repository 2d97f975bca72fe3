package plan

import (
	"slices"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/resource"
)

// takes names what goes with the scopes that the plan takes away: nothing in
// them is deleted one by one, and not all of it need be this project's.
func (b *builder) takes() {
	for _, c := range b.plan.Changes {
		if c.Kind.Opens == "" || c.Action != Delete && c.Action != Replace {
			continue
		}
		ix := b.index[string(c.Address)]
		if ix == nil || ix.State.Obs == nil {
			continue
		}
		c.Takes = b.within(ix.State.Obs.Objects)
	}
}

// within describes objects, ours and others': "service web",
// "service db of other/prod", "service old, unmanaged".
func (b *builder) within(objects []*resource.Object) []string {
	var ours, others []string
	for _, o := range objects {
		switch title, own := b.title(o); {
		case o.Unlisted:
		case own:
			ours = append(ours, title)
		default:
			others = append(others, title)
		}
	}
	slices.Sort(ours)
	slices.Sort(others)
	return append(others, ours...)
}

// title describes an object, and tells whether it is this project's.
func (b *builder) title(o *resource.Object) (text string, ours bool) {
	text = o.Kind + " " + o.Name
	switch o.Mark.Project {
	case b.in.Program.Project:
		return text, true
	case "":
		return text + ", unmanaged", false
	}
	return text + " of " + o.Mark.Project, false
}

// checkAdopted warns where --adopt had nothing to do: a person who asked for
// it thinks that something is there which is not.
func (b *builder) checkAdopted() {
	for _, d := range b.in.Program.Declarations {
		c := b.changes[d.Address]
		if c == nil || c.Blocked != "" || c.Deferred || !b.mayAdopt(d.Address) {
			continue
		}
		why := ""
		switch {
		case d.External:
			why = "is external, and never taken over"
		case c.Kind.Unmarked:
			why = "needs no adoption: what has its name is what is meant"
		case c.Live == nil:
			why = "does not exist"
		case c.Live.Mark.Project == b.in.Program.Project:
			why = "is this project's already"
		default:
			continue
		}
		w := diag.Errorf(d.Pos, "nothing to adopt: %s %s", d.Address.Short(), why)
		w.Severity = diag.Warning
		b.plan.Warnings = append(b.plan.Warnings, w)
	}
}
