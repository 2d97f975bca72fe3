package ui

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/value"
)

// outputs writes what the script will publish. Without a change there is
// nothing new in it.
func (pr *planPrinter) outputs() {
	if len(pr.p.Outputs) == 0 || pr.p.Empty() || pr.destroy {
		return
	}
	pr.line("Outputs:")
	width := 0
	for _, o := range pr.p.Outputs {
		width = max(width, min(textWidth(clean(o.Name)), maxLabel))
	}
	for _, o := range pr.p.Outputs {
		pr.spaces(2)
		pr.pad(clean(o.Name), width)
		pr.spaces(2)
		at := len(pr.b)
		pr.b = appendOutput(pr.b, o.Value, o.Sensitive)
		limit := longLine
		if pr.Width > 0 {
			limit = pr.Width - 4 - width
		}
		if len(pr.b)-at > limit {
			short := cut(string(pr.b[at:]), max(limit, 12))
			pr.b = append(pr.b[:at], short...)
		}
		pr.dimmed(at)
		pr.endLine()
	}
	pr.endLine()
}

// appendOutput shows an output as far as it is known: of a template, the text
// around what is not.
func appendOutput(b []byte, v value.Value, sensitive bool) []byte {
	if sensitive || value.Sensitive(v) {
		return append(b, value.Hidden...)
	}
	if t, ok := v.(*value.Template); ok {
		return appendClean(b, t.String()+" (known after apply)")
	}
	return appendValue(b, anyType, v)
}

// notes writes what is to be known of the plan besides its changes.
func (pr *planPrinter) notes() {
	before := len(pr.b)
	pr.deferred()
	pr.blocked()
	for _, d := range pr.p.Warnings {
		pr.warning(d)
	}
	if len(pr.b) > before {
		pr.endLine()
	}
}

// deferred says which scopes do not exist yet, or do not run. It is not worth saying for
// each resource: in a first run it holds for all of them.
func (pr *planPrinter) deferred() {
	count, coming := map[string]int{}, map[string]bool{}
	for _, c := range pr.p.Changes {
		coming[string(c.Address)] = c.Action == plan.Create
	}
	for _, c := range pr.p.Changes {
		if !c.Deferred || !c.Changes() || c.Scope == "" {
			continue
		}
		scope := c.Scope
		if c.Decl != nil && c.Decl.On != "" && !coming[scope] { // what it stands on is what is missing
			scope = c.Decl.On
		}
		count[scope]++
	}
	for _, scope := range slices.Sorted(maps.Keys(count)) {
		n := count[scope]
		what := "the " + strconv.Itoa(n) + " resources in it are"
		if n == 1 {
			what = "the resource in it is"
		}
		why := " does not exist yet; "
		if pr.p.Off[scope] {
			why = " does not run now; "
		}
		pr.note(plain, "", clean(scope)+why+what+" compared again when it does")
	}
}

// blocked says what could not be planned, or is left alone, and why: by reason,
// because one engine that does not answer blocks everything in it.
func (pr *planPrinter) blocked() {
	for _, o := range outages(pr.p.Unreachable) {
		pr.note(red, "unreachable: ", o.scopes)
		if o.err != nil {
			pr.detail(o.err.Error())
		}
	}
	pr.because(red, "not planned: ", func(c *plan.Change) string { return c.Blocked })
	pr.because(plain, "left as it is: ", func(c *plan.Change) string { return c.Left })
}

// because says of what changes for a reason, by that.
func (pr *planPrinter) because(color, what string, why func(*plan.Change) string) {
	var reasons []string
	names := map[string][]string{}
	for _, c := range pr.p.Changes {
		r := why(c)
		if r == "" {
			continue
		}
		if names[r] == nil {
			reasons = append(reasons, r)
		}
		names[r] = append(names[r], pr.names.Of(c.Address))
	}
	for _, r := range reasons {
		pr.note(color, what, several(names[r], 8)+", because "+clean(r))
	}
}

// outage is why scopes did not answer.
type outage struct {
	scopes string
	err    error
}

// outages are those of a plan, in the order of the scopes. What lies in a scope that
// did not answer says no more than that, and is told together.
func outages(unreachable map[string]error) []outage {
	said := map[string][]string{}
	var first []string
	for _, scope := range slices.Sorted(maps.Keys(unreachable)) {
		text := ""
		if err := unreachable[scope]; err != nil {
			text = err.Error()
		}
		if said[text] == nil {
			first = append(first, text)
		}
		said[text] = append(said[text], scope)
	}
	var out []outage
	for _, text := range first {
		scopes := said[text]
		out = append(out, outage{clean(several(scopes, 8)), unreachable[scopes[0]]})
	}
	return out
}

// several joins names, the first few of many.
func several(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:most-1], ", ") + " and " + strconv.Itoa(len(names)-most+1) + " more"
}

func (pr *planPrinter) warning(d *diag.Diagnostic) {
	where := ""
	if d.Pos.IsValid() {
		where = clean(d.Pos.String()) + ": "
	}
	pr.note(yellow, "warning: ", where+clean(d.Summary))
	if d.Detail != "" {
		pr.detail(d.Detail)
	}
	if d.Hint != "" {
		pr.detail(d.Hint)
	}
}

// note writes a coloured word and clean text, folded.
func (o *out) note(color, word, text string) {
	for i, l := range fold(word+text, o.Width) {
		if i > 0 {
			o.spaces(2)
			o.line(l)
			continue
		}
		rest, ok := strings.CutPrefix(l, word)
		if ok {
			o.in(color, word)
		} else {
			rest = l
		}
		o.line(rest)
	}
}

// detail writes lines of foreign text, indented.
func (o *out) detail(s string) {
	for _, l := range cleanLines(s) {
		for _, f := range fold(l, max(o.Width-2, 0)) {
			o.spaces(2)
			o.line(f)
		}
	}
}

// counts writes the last line.
func (pr *planPrinter) counts() {
	n := pr.p.Counts()
	reads, blocked := 0, 0
	for _, c := range pr.p.Changes {
		if c.Action == plan.Read && shown(c) {
			reads++
		}
		if c.Blocked != "" {
			blocked++
		}
	}
	missed := blocked > 0 || len(pr.p.Unreachable) > 0
	if pr.refresh && len(pr.p.Drift) > 0 {
		pr.line(strconv.Itoa(len(pr.p.Drift)) + " differ. This run changes none of them: it brings up to date only what is remembered.")
		return
	}
	if pr.p.Empty() {
		pr.line(pr.nothing(n, missed))
		return
	}
	s := "Plan: " + strconv.Itoa(n.Add) + " to add, " + strconv.Itoa(n.Change) + " to change, " +
		strconv.Itoa(n.Replace) + " to replace, " + strconv.Itoa(n.Delete) + " to delete"
	if n.Release > 0 {
		s += ", " + strconv.Itoa(n.Release) + " to release"
	}
	if reads > 0 {
		s += ", " + strconv.Itoa(reads) + " to read"
	}
	if n.Check > 0 {
		s += ", " + strconv.Itoa(n.Check) + " to check"
	}
	if n.Wait > 0 {
		s += ", " + strconv.Itoa(n.Wait) + " to wait for"
	}
	s += "."
	if blocked > 0 {
		s += " " + strconv.Itoa(blocked) + " could not be planned."
	}
	for _, l := range fold(s, pr.Width) {
		pr.in(bold, l)
		pr.endLine()
	}
}

// nothing says that nothing would be changed. It claims that all is as
// declared only if it is.
func (pr *planPrinter) nothing(n plan.Counts, missed bool) string {
	switch {
	case missed:
		return "No changes in what answered. The rest of " + pr.project() + " is not known."
	case pr.destroy:
		return "Nothing to destroy: nothing of " + pr.project() + " exists."
	case n.Wait > 0:
		return "No changes. " + pr.project() + " is as declared; " + strconv.Itoa(n.Wait) + " still to wait for."
	case n.Check > 0:
		return "No changes. " + pr.project() + " is as declared; " + strconv.Itoa(n.Check) + " to check."
	}
	return "No changes. " + pr.project() + " is as declared."
}
