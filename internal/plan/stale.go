package plan

import (
	"fmt"
	"io"
	"slices"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Differences says, a line each, in what the plan of now is not the saved one;
// both are as [Written] returns them. What is as declared in both does not
// count, whatever happened to it in between.
//
// Under the lease the project's ledger is there, and with it some names are
// known that were not when the plan was saved. Then same is false: what was
// unknown may be anything, and a step that only such values asked for may not
// be needed.
//
// With hidden no value is told: what they are made of may be a password.
func Differences(saved, now *Plan, same, hidden bool) []string {
	d := &staleness{same: same, hidden: hidden}
	was := stepsOf(saved)
	for _, c := range slices.Concat(now.Changes, now.Drift) {
		k := stepOf(c)
		d.compare(was[k], c)
		delete(was, k)
	}
	for _, c := range slices.Concat(saved.Changes, saved.Drift) {
		if was[stepOf(c)] == c && does(c) {
			d.add(c, "the plan would %s it, which is not to be done any more", verbs[c.Action])
		}
	}
	return d.lines
}

// does reports whether a plan does anything with a resource: it writes it, or
// checks it.
func does(c *Change) bool { return c.Changes() || c.Action == Check }

// verbs are the actions as something that is done.
var verbs = [...]string{"leave", "read", "check", "create", "update", "replace", "make a new version of", "delete", "release"}

// step tells steps apart: old versions are deleted under the address of what
// they were versions of, and what was found is released under that of what is
// meant now.
type step struct {
	address value.Address
	drops   bool
	id      string // of what is dropped
}

func stepOf(c *Change) step {
	if c.Action.Drops() && c.Live != nil {
		return step{c.Address, true, c.Live.ID}
	}
	return step{address: c.Address}
}

func stepsOf(p *Plan) map[step]*Change {
	out := make(map[step]*Change, len(p.Changes))
	for _, c := range slices.Concat(p.Changes, p.Drift) {
		out[stepOf(c)] = c
	}
	return out
}

type staleness struct {
	same   bool
	hidden bool
	lines  []string
}

func (d *staleness) add(c *Change, format string, args ...any) {
	d.lines = append(d.lines, c.Address.Short()+": "+fmt.Sprintf(format, args...))
}

func (d *staleness) compare(was, now *Change) {
	switch {
	case was == nil && !does(now), was != nil && !does(was) && !does(now):
		return
	case was == nil || !does(was):
		d.add(now, "the plan leaves it as it is, and it would now be %s%s", done(now.Action), d.because(now))
		return
	case was.Action != now.Action:
		if !d.same && was.Action == Update && now.Action == NoOp && onlyUnknown(was.Fields) {
			return
		}
		if !does(now) {
			d.add(now, "the plan would %s it, which is not to be done any more", verbs[was.Action])
		} else {
			d.add(now, "the plan would %s it, and it would now be %s%s", verbs[was.Action], done(now.Action), d.because(now))
		}
		return
	case was.Live != nil && now.Live != nil && was.Live.ID != now.Live.ID:
		d.add(now, "it is another one now: %s, not %s", now.Live.ID, was.Live.ID)
		return
	}
	before := len(d.lines)
	d.fields(was, now)
	if before == len(d.lines) {
		d.arguments(was, now)
	}
	if before == len(d.lines) && was.Live != nil && now.Live != nil {
		d.live(now, was.Live, now.Live)
	}
}

// live compares the objects that the steps change. The version of one that had
// not converged, or that has a life of its own, as a node has that goes down and
// comes back, moves by itself: what it is says more then.
func (d *staleness) live(c *Change, was, now *resource.Object) {
	switch {
	case was.Version == now.Version:
	case c.Kind.Find != nil && value.Equal(was.Args, now.Args):
	case was.Unsettled == "":
		d.add(c, "it was changed since: it has version %d now, and had %d", now.Version, was.Version)
	case !value.Equal(was.Args, now.Args):
		d.add(c, "it was changed since, while it converged")
	}
}

// done is what a step does to a thing, as what is done to it.
func done(a Action) string {
	return [...]string{"left", "read", "checked", "created", "updated", "replaced", "made anew as another version", "deleted", "released"}[a]
}

func (d *staleness) because(c *Change) string {
	var paths []string
	for _, f := range c.Fields {
		paths = append(paths, f.Path+" "+d.sides(f))
	}
	switch {
	case len(paths) > 3:
		return fmt.Sprintf(": %s, %s and %d more", paths[0], paths[1], len(paths)-2)
	case len(paths) > 0:
		s := paths[0]
		for _, p := range paths[1:] {
			s += ", " + p
		}
		return ": " + s
	case c.Reason != "":
		return ": " + c.Reason
	}
	return ""
}

func (d *staleness) sides(f schema.Change) string {
	if f.Secret || d.hidden {
		return value.Hidden
	}
	return shortText(f.Type, f.Before) + " -> " + shortText(f.Type, f.After)
}

func shortText(t *schema.Type, v value.Value) string {
	if v == nil {
		return "none"
	}
	if !value.Known(v) {
		return "(known after apply)"
	}
	if s := t.Format(v); len(s) <= 60 {
		return s
	}
	return "(a long value)"
}

func onlyUnknown(fields []schema.Change) bool {
	return !slices.ContainsFunc(fields, func(f schema.Change) bool { return !f.Unknown })
}

// fields compares what the steps change.
func (d *staleness) fields(was, now *Change) {
	old := make(map[string]schema.Change, len(was.Fields))
	for _, f := range was.Fields {
		old[f.Path] = f
	}
	for _, f := range now.Fields {
		o, ok := old[f.Path]
		delete(old, f.Path)
		switch {
		case !ok:
			d.add(now, "the plan leaves %s as it is, and it would now change: %s", f.Path, d.sides(f))
		case d.hidden && (!value.Equal(o.Before, f.Before) || !d.equal(o.After, f.After)):
			d.add(now, "%s is another one", f.Path)
		case !value.Equal(o.Before, f.Before):
			d.add(now, "%s is %s now, and was %s", f.Path, shortText(f.Type, f.Before), shortText(o.Type, o.Before))
		case !d.equal(o.After, f.After):
			d.add(now, "%s would become %s, and in the plan %s", f.Path, shortText(f.Type, f.After), shortText(o.Type, o.After))
		}
	}
	for _, f := range was.Fields {
		if _, left := old[f.Path]; left && (d.same || !f.Unknown) {
			d.add(now, "%s is not to be changed any more; the plan has %s", f.Path, d.sides(f))
		}
	}
}

// arguments compares all that the steps write, where the differences are not
// the reason: of a creation, everything.
func (d *staleness) arguments(was, now *Change) {
	if now.Name != was.Name && (d.same || was.Name != "") {
		d.add(now, "its content is another one: version %q, in the plan %q", now.Name, was.Name)
		return
	}
	for i, f := range now.Kind.Schema.Fields() {
		if i < len(now.Args) && i < len(was.Args) && !d.equal(was.Args[i], now.Args[i]) {
			if d.hidden {
				d.add(now, "%s is another one", f.Name)
				continue
			}
			d.add(now, "%s would be %s, and in the plan it is %s", f.Name, shortText(f.Type, now.Args[i]), shortText(f.Type, was.Args[i]))
		}
	}
}

// equal compares values; what was unknown may have become known.
func (d *staleness) equal(was, now value.Value) bool {
	return value.Equal(was, now) || !d.same && !value.Known(was)
}

// Values is all that the steps write, with the hidden values, for telling
// whether two plans write the same. It must not be shown or kept.
func (p *Plan) Values(w io.Writer) {
	for _, c := range p.Changes {
		if c.Changes() && c.Args != nil {
			fmt.Fprintf(w, "%q:", c.Address)
			writeCanonical(w, c.Args)
		}
	}
}
