package ui

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// SummaryOptions say how the end of an apply is shown.
type SummaryOptions struct {
	Style
	Names   *Names // as in the plan; nil shows short addresses
	Destroy bool
	Checks  bool // only checks were made
	Exit    int  // the exit code, shown where it is not 0
	// Unreachable are the plan's scopes that did not answer: what is in them
	// was not planned, so nothing is complete.
	Unreachable map[string]error
}

// Summary writes how an apply ended: each failure whole, with what was skipped
// because of it; what was done; the outputs.
func Summary(w io.Writer, r *apply.Result, o SummaryOptions) error {
	s := &summary{out: out{w: w, Style: o.Style}, r: r, o: o, because: map[value.Address][]string{}}
	for _, st := range r.Steps {
		if st.Outcome == apply.Omitted && st.Because != "" {
			s.because[st.Because] = append(s.because[st.Because], o.Names.Of(st.Change.Address))
		}
	}
	for _, st := range r.Steps {
		if st.Outcome == apply.Broken {
			s.failure(st)
		}
	}
	s.ending()
	s.outputs()
	s.flush()
	return s.err
}

type summary struct {
	out
	r       *apply.Result
	o       SummaryOptions
	because map[value.Address][]string
}

// failure says what a person would have had to dig out: what failed, the
// tasks' own words, where it is declared, how things stand now.
func (s *summary) failure(st *apply.StepResult) {
	c := st.Change
	head, details, after := explain(st.Err, c)
	s.endLine()
	name := s.o.Names.Of(c.Address)
	lines := fold(name+" "+head, s.Width)
	for i, l := range lines {
		if rest, ok := strings.CutPrefix(l, name); ok && i == 0 {
			s.in(red, name)
			l = rest
		}
		s.line(l)
	}
	s.endLine()
	for _, l := range details {
		s.indented(l)
	}
	if c.Decl != nil && c.Decl.Pos.IsValid() {
		s.indented("declared at " + clean(c.Decl.Pos.String()))
	}
	skipped := s.because[c.Address]
	if after != "" || len(skipped) > 0 {
		s.endLine()
	}
	if after != "" {
		s.indented(clean(c.Address.Name()) + " is as it was before: " + clean(after))
	}
	if len(skipped) > 0 {
		s.indented("skipped because of it: " + several(skipped, 12))
	}
}

// explain takes an error apart: the rest of a sentence that begins with the
// resource's name, the lines below it, and what it was rolled back to.
func explain(err error, c *plan.Change) (head string, details []string, after string) {
	var nc *resource.NotConverged
	if errors.As(err, &nc) {
		if nc.Detail != "" {
			details = cleanLines(nc.Detail)
		}
		if nc.RolledBack != "" {
			after = "rolled back to " + nc.RolledBack
		}
		return clean(strings.TrimPrefix(nc.Summary, string(c.Address)+" ")), details, after
	}
	if errors.Is(err, context.Canceled) && c.Action != plan.Check {
		return "was aborted; it may be half done", nil, ""
	}
	switch c.Action {
	case plan.NewVersion:
		head = "could not get a new version"
	case plan.Check:
		head = "could not be checked"
	case plan.NoOp:
		head = "did not converge"
	default:
		head = "could not be " + done[c.Action]
	}
	if err == nil {
		return head, nil, ""
	}
	for i, d := range diag.From(err) {
		lines := cleanLines(d.Summary)
		if i == 0 {
			head += ": " + lines[0]
			lines = lines[1:]
		}
		details = append(details, lines...)
		if d.Detail != "" {
			details = append(details, cleanLines(d.Detail)...)
		}
		if d.Hint != "" {
			details = append(details, cleanLines(d.Hint)...)
		}
	}
	return head, details, ""
}

// indented writes a line two columns in. It is folded, not cut: in an error
// every word may be the one that matters.
func (s *summary) indented(l string) {
	trimmed := strings.TrimLeft(l, " ")
	indent := 2 + len(l) - len(trimmed)
	if trimmed == "" {
		s.endLine()
		return
	}
	for _, f := range fold(trimmed, max(s.Width-indent, min(s.Width, 20))) {
		s.spaces(indent)
		s.line(f)
	}
}

// tally is how the steps ended.
type tally struct {
	total, ok, failed, skipped int
	counts                     plan.Counts // of what was done
}

func count(r *apply.Result) tally {
	t := tally{total: len(r.Steps)}
	for _, st := range r.Steps {
		switch st.Outcome {
		case apply.Broken:
			t.failed++
			continue
		case apply.OK:
			t.ok++
		default:
			t.skipped++
			continue
		}
		switch st.Change.Action {
		case plan.Create:
			t.counts.Add++
		case plan.Update:
			t.counts.Change++
		case plan.Replace, plan.NewVersion:
			t.counts.Replace++
		case plan.Delete:
			t.counts.Delete++
		case plan.Release:
			t.counts.Release++
		case plan.Read:
			t.counts.Read++
		case plan.Check:
			t.counts.Check++
		case plan.NoOp:
			t.counts.Wait++
		}
	}
	return t
}

// whole reports whether everything that was planned was done.
func (s *summary) whole(t tally) bool {
	return t.ok == t.total && !s.r.Interrupted && s.r.LeaseLost == nil && len(s.o.Unreachable) == 0
}

// ending writes the line that a person looks for.
func (s *summary) ending() {
	t := count(s.r)
	s.endLine()
	if s.r.LeaseLost != nil {
		s.note(red, "the lease was lost: ", firstLine(s.r.LeaseLost))
		s.note(plain, "", "another apply may be running; nothing more was begun")
		s.endLine()
	}
	for _, st := range s.r.Steps {
		if st.Stays != "" {
			s.note(yellow, "stays: ", s.o.Names.Of(st.Change.Address)+", without our mark: "+st.Stays)
		}
	}
	for _, o := range outages(s.o.Unreachable) {
		s.note(red, "unreachable: ", o.scopes+": "+firstLine(o.err))
	}
	color, text := green, ""
	if s.whole(t) {
		text = s.complete(t)
	} else {
		color, text = red, s.incomplete(t)
	}
	for _, l := range fold(text, s.Width) {
		s.in(color, l)
		s.endLine()
	}
}

func (s *summary) complete(t tally) string {
	n := t.counts
	if s.o.Checks {
		return "All checks passed: " + strconv.Itoa(t.ok) + "."
	}
	if s.o.Destroy {
		return "Destroy complete! Resources: " + strconv.Itoa(n.Delete) + " deleted" + released(n) + "."
	}
	checks := ""
	if n.Check > 0 {
		checks = " Checks: " + strconv.Itoa(n.Check) + " passed."
	}
	return "Apply complete! Resources: " + strconv.Itoa(n.Add) + " added, " + strconv.Itoa(n.Change) + " changed, " +
		strconv.Itoa(n.Replace) + " replaced, " + strconv.Itoa(n.Delete) + " deleted" + released(n) + "." + checks
}

// released is told only where there is something to tell: few kinds know it.
func released(n plan.Counts) string {
	if n.Release == 0 {
		return ""
	}
	return ", " + strconv.Itoa(n.Release) + " released"
}

func (s *summary) incomplete(t tally) string {
	text := "Applied "
	if s.o.Destroy {
		text = "Destroyed "
	}
	if s.o.Checks {
		text = "Passed "
	}
	if s.r.Interrupted {
		text = "Interrupted. " + text
	}
	if t.total == 0 && len(s.o.Unreachable) > 0 {
		text = "Nothing was changed: not all of it could be reached. Run it again to go on."
		if s.o.Exit != 0 {
			text += " (exit " + strconv.Itoa(s.o.Exit) + ")"
		}
		return text
	}
	text += strconv.Itoa(t.ok) + " of " + strconv.Itoa(t.total)
	if len(s.o.Unreachable) > 0 {
		text += " in what could be reached"
	}
	var rest []string
	if t.failed > 0 {
		rest = append(rest, strconv.Itoa(t.failed)+" failed")
	}
	if t.skipped > 0 {
		word := " skipped"
		if s.r.Interrupted && t.failed == 0 {
			word = " not begun"
		}
		rest = append(rest, strconv.Itoa(t.skipped)+word)
	}
	if len(rest) > 0 {
		text += "; " + strings.Join(rest, ", ")
	}
	text += "."
	if !s.o.Checks {
		text += " Run it again to go on."
	}
	if s.o.Exit != 0 {
		text += " (exit " + strconv.Itoa(s.o.Exit) + ")"
	}
	return text
}

func (s *summary) outputs() {
	if len(s.r.Outputs) == 0 || s.o.Destroy {
		return
	}
	s.endLine()
	s.line("Outputs:")
	s.endLine()
	outputLines(&s.out, s.r.Outputs, "(not known: what it needs failed)")
}
