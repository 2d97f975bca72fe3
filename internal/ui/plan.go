package ui

import (
	"io"
	"strings"

	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/schema"
	"github.com/swarmscript/swarmscript/internal/value"
)

// PlanOptions say how a plan is shown.
type PlanOptions struct {
	Style
	// Names shows addresses; nil means NewNames of the plan.
	Names *Names
	// Destroy says that the plan is one to destroy everything.
	Destroy bool
	// RefreshOnly says that it only shows what differs.
	RefreshOnly bool
}

// Plan writes a plan as text. What is as declared is not in it; a resource
// that changes is one line with what happens to it, and a line for each
// argument that matters.
func Plan(w io.Writer, p *plan.Plan, o PlanOptions) error {
	if o.Names == nil {
		o.Names = NewNames(p)
	}
	pr := &planPrinter{out: out{w: w, Style: o.Style}, names: o.Names, p: p, changes: p.Changes, destroy: o.Destroy, refresh: o.RefreshOnly}
	if o.RefreshOnly {
		pr.changes = p.Drift
	}
	pr.print()
	pr.flush()
	return pr.err
}

// out collects text and writes it in large pieces: a plan of 10,000 resources
// is some megabytes, and a write for each line would be most of its cost.
type out struct {
	Style
	w   io.Writer
	b   []byte
	err error
}

const flushAt = 64 << 10

func (o *out) flush() {
	if o.err == nil && len(o.b) > 0 {
		_, o.err = o.w.Write(o.b)
	}
	o.b = o.b[:0]
}

func (o *out) endLine() {
	o.b = append(o.b, '\n')
	if len(o.b) >= flushAt {
		o.flush()
	}
}

func (o *out) str(s string)           { o.b = append(o.b, s...) }
func (o *out) spaces(n int)           { o.b = appendSpaces(o.b, n) }
func (o *out) pad(s string, cols int) { o.b = appendPadded(o.b, s, cols) }

// in appends text in a colour.
func (o *out) in(color, s string) {
	if o.Color && color != plain {
		o.b = append(append(append(o.b, color...), s...), reset...)
		return
	}
	o.b = append(o.b, s...)
}

func (o *out) line(s string) {
	o.str(s)
	o.endLine()
}

type planPrinter struct {
	out
	p       *plan.Plan
	names   *Names
	changes []*plan.Change
	destroy bool
	refresh bool
	column  int    // where signs begin
	pairs   []pair // of the resource at hand, kept for the next
	scratch []byte
}

const (
	fieldIndent = 6
	// signWidth is that of the longest sign and word, "+/- new version", and
	// the blanks after it.
	signWidth = 17
	// maxColumn bounds the column of the signs: one long address must not push
	// all the others' to the right.
	maxColumn = 48
)

// listed reports whether a change has a line in the plan's text: what happens,
// and what was looked up.
func listed(c *plan.Change) bool {
	return shown(c) || c.Action == plan.Read && c.Blocked == ""
}

// shown reports whether something is still to happen for a change.
func shown(c *plan.Change) bool {
	if c.Blocked != "" {
		return false // said once for all of them, at the end
	}
	if c.Action == plan.Read {
		return c.Live == nil // what is there has been read already
	}
	return c.Changes() || c.Action == plan.Check || c.Unsettled != ""
}

func (pr *planPrinter) print() {
	pr.layout()
	lines := 0
	spaced := true // whether the last one had lines below it, and so wants a blank
	for _, c := range pr.changes {
		if !listed(c) {
			continue
		}
		if pr.refresh && lines == 0 {
			pr.in(bold, "What is live differs from what "+pr.project()+" declares. An apply would:")
			pr.endLine()
		} else if pr.destroy && lines == 0 {
			what := "Everything of "
			if pr.p.Partial {
				what = "This part of "
			}
			pr.in(red, what+pr.project()+" will be destroyed:")
			pr.endLine()
		}
		lines++
		pr.pairs = pr.pairs[:0]
		pr.collect(c)
		details := len(pr.pairs) > 0 || len(c.Rolls) > 0 || len(c.Takes) > 0 || len(c.Findings) > 0
		if details || spaced {
			pr.endLine()
		}
		more := pr.header(c)
		pr.fields(c)
		spaced = details || more
	}
	if lines > 0 {
		pr.endLine()
	}
	pr.outputs()
	pr.notes()
	pr.counts()
}

// layout finds the column of the signs.
func (pr *planPrinter) layout() {
	limit := maxColumn
	if pr.Width > 0 {
		limit = min(limit, pr.Width/2)
	}
	for _, c := range pr.changes {
		if listed(c) {
			if n := textWidth(pr.names.Of(c.Address)); n <= limit {
				pr.column = max(pr.column, n)
			}
		}
	}
	pr.column += 2 + 2
}

func (pr *planPrinter) project() string {
	if pr.p.Project == "" {
		return "this script"
	}
	return clean(pr.p.Project)
}

var actionColors = [...]string{
	plan.NoOp: plain, plan.Read: cyan, plan.Check: cyan, plan.Create: green, plan.Update: yellow,
	plan.Replace: red, plan.NewVersion: green, plan.Delete: red,
	plan.Release: yellow,
}

// header writes the line of a change. It reports whether it needed more lines
// than one.
func (pr *planPrinter) header(c *plan.Change) bool {
	pr.str("  ")
	name := pr.names.Of(c.Address)
	if pr.Color {
		pr.str(bold)
	}
	pr.str(name)
	if pr.Color {
		pr.str(reset)
	}
	used := 2 + textWidth(name)
	gap := max(pr.column-used, 2)
	pr.spaces(gap)
	used += gap
	sign, word := c.Action.Sign(), c.Action.String()
	if c.Action == plan.NoOp {
		sign, word = "", "wait"
	}
	label := word
	if sign != "" {
		label = sign + " " + word
	}
	pr.in(actionColors[c.Action], label)
	said := pr.summary(c)
	if said == "" {
		pr.endLine()
		return false
	}
	gap = max(signWidth-len(label), 2)
	if room := pr.Width - used - len(label) - gap; pr.Width == 0 || textWidth(said) <= room {
		pr.spaces(gap)
		pr.said(said)
		return false
	}
	pr.endLine()
	for _, l := range fold(said, pr.Width-fieldIndent) {
		pr.spaces(fieldIndent)
		pr.said(l)
	}
	return true
}

func (pr *planPrinter) said(s string) {
	if strings.HasPrefix(s, resource.Interrupted) {
		pr.in(bold, s)
	} else {
		pr.str(s)
	}
	pr.endLine()
}

// summary says in a few words what happens, why, and to whom.
func (pr *planPrinter) summary(c *plan.Change) string {
	var parts []string
	add := func(s string) {
		if s != "" {
			parts = append(parts, clean(s))
		}
	}
	switch c.Action {
	case plan.NewVersion:
		after := "(new)"
		if c.Name != "" {
			after = versionOf(c)
		}
		add(liveVersionOf(c) + " -> " + after)
		if hidesContent(c) {
			parts[0] += ", value hidden"
		}
	case plan.Delete:
		if c.Kind != nil && c.Kind.Versioned && c.Live != nil {
			add(liveVersionOf(c))
		}
		add(c.Effect)
		if c.Kind != nil && c.Kind.DataLoss != "" {
			add(c.Kind.DataLoss + " will be lost")
		}
	case plan.Release:
		add(letsGo(c))
	case plan.Replace:
		add(c.Effect)
		if c.Kind != nil && c.Kind.DataLoss != "" {
			add(c.Kind.DataLoss + " will be lost")
		}
	default:
		add(c.Effect)
	}
	add(c.Reason)
	if c.Tentative {
		add("only if what is known after apply differs")
	}
	switch {
	case c.Action == plan.Read && c.Live == nil:
		add("during apply, when its scope exists")
	case c.Action == plan.NoOp && c.Unsettled != "":
		add("as declared; waits: " + c.Unsettled)
	case c.Action == plan.Update && len(c.Fields) == 0 && c.Reason == "" && c.Remark:
		add("only its mark")
	}
	return strings.Join(parts, "; ")
}

// letsGo says what stays of what is released, and what goes.
func letsGo(c *plan.Change) string {
	if c.Kind == nil || c.Live == nil {
		return ""
	}
	s := "the " + c.Kind.Name + " stays, without our mark"
	var keys []string
	for _, field := range c.Kind.Schema.Merged() {
		keys = append(keys, c.Live.Mark.Owned()[field.Name]...)
	}
	if len(keys) > 0 {
		s += " and what we set: " + several(keys, 8)
	}
	return s
}

// hidesContent reports whether what is new cannot be shown.
func hidesContent(c *plan.Change) bool {
	if c.Kind == nil {
		return false
	}
	for i, f := range c.Kind.Schema.Fields() {
		if (f.WriteOnly || f.Secret) && i < len(c.Args) && c.Args[i] != nil {
			return true
		}
	}
	return false
}

func versionOf(c *plan.Change) string { return shortVersion(c.Name, c.Address.Name()) }

func liveVersionOf(c *plan.Change) string {
	if c.Live == nil {
		return "(unknown)"
	}
	return shortVersion(c.Live.Name, c.Address.Name())
}

// shortVersion returns what tells one version's name from another's: a1f03c
// of db_password-a1f03c. A name without a hash is returned whole.
func shortVersion(name, base string) string {
	s, ok := strings.CutPrefix(name, base)
	if !ok || s == "" {
		i := strings.LastIndexAny(name, "-._")
		s = name[i+1:]
		if i < 0 || len(s) < 4 || strings.Trim(s, "0123456789abcdef") != "" {
			return name
		}
	}
	s = strings.TrimLeft(s, "-._")
	const enough = 8
	if len(s) > enough && isPlain(s) {
		s = s[:enough]
	}
	if s == "" {
		return name
	}
	return s
}

// pair is an argument that is shown: of a creation, its value; of any other
// change, its difference.
type pair struct {
	label  string
	field  *schema.Field
	change *schema.Change // nil in a creation
	value  value.Value
}

// collect gathers what is shown of a change.
func (pr *planPrinter) collect(c *plan.Change) {
	action := c.Action
	if action == plan.Update && c.Deferred {
		action = plan.Create // compared when it is there: until then all that is declared is shown
	}
	switch action {
	case plan.Create:
		if c.Kind == nil {
			return
		}
		for i, f := range c.Kind.Schema.Fields() {
			if i < len(c.Args) && given(f, c.Args[i]) {
				pr.pairs = append(pr.pairs, pair{label: f.Name, field: f, value: c.Args[i]})
			}
		}
	case plan.Update, plan.Replace, plan.NewVersion:
		for i := range c.Fields {
			f := &c.Fields[i]
			if c.Action == plan.NewVersion && f.Field != nil && (f.Field.WriteOnly || f.Field.Secret) {
				continue // the header says that it is hidden
			}
			if !f.Secret && c.HidesList(f.Field) {
				hidden := *f
				hidden.Secret, f = true, &hidden
			}
			pr.pairs = append(pr.pairs, pair{label: clean(f.Path), field: f.Field, change: f})
		}
	}
}
