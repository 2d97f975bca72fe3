package scripttest

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/ui"
)

// Text shows results to a person: each test that fails with all that is known of
// why, each file in a line; verbose, each test. Results may come in any order, and
// are shown in that of the files and of their source.
type Text struct {
	W       io.Writer
	Style   ui.Style
	Verbose bool

	order   []*File
	results map[string]*Result // that have come, by file and name
	file    int                // the next to be shown
	test    int
	counts  Summary // of the file
}

// NewText returns what shows the results of those files.
func NewText(w io.Writer, style ui.Style, verbose bool, files []*File) *Text {
	return &Text{W: w, Style: style, Verbose: verbose, order: files, results: map[string]*Result{}}
}

func key(file, name string) string { return file + "\x00" + name }

// Ended shows a result as soon as all before it were shown.
func (p *Text) Ended(r *Result) {
	p.results[key(r.File, r.Name)] = r
	for p.file < len(p.order) {
		f := p.order[p.file]
		for p.test < len(f.Tests) {
			next := p.results[key(f.Path, f.Tests[p.test])]
			if next == nil {
				return
			}
			p.test++
			p.result(next)
		}
		p.fileLine(f)
		p.file, p.test, p.counts = p.file+1, 0, Summary{}
	}
}

// Rest shows what came after a test that did not end.
func (p *Text) Rest(all []*Result) {
	for _, r := range all {
		if p.results[key(r.File, r.Name)] == nil {
			p.Ended(r)
		}
	}
}

func (p *Text) result(r *Result) {
	one := Sum([]*Result{r}, 0)
	p.counts.Passed += one.Passed
	p.counts.Failed += one.Failed
	p.counts.Skipped += one.Skipped
	p.counts.NotRun += one.NotRun
	p.counts.Took += r.Took
	if r.Status != Failed && !p.Verbose {
		return
	}
	said := took(r.Took)
	if r.Status == Skipped {
		said = r.Reason
	}
	if r.Status == Ended && r.Took == 0 {
		said = "not begun"
	}
	ui.Mark(p.W, mark(r.Status), r.Name+"  "+said, p.Style)
	for _, l := range r.Output {
		fmt.Fprintf(p.W, "        %s\n", ui.Clean(l))
	}
	if r.Status == Failed {
		WriteFailure(indented(p.W, "        "), r, p.Style)
	}
}

// WriteFailure writes why a test failed: its problems, then the plan, the tasks
// and the log lines that it had before it.
func WriteFailure(w io.Writer, r *Result, style ui.Style) {
	ui.Problems(w, r.Problems, r.Source, style.Color)
	if r.Plan != nil {
		fmt.Fprintln(w, "the last plan:")
		writePlan(indented(w, "  "), r.Plan, style)
	}
	if len(r.Tasks) > 0 {
		fmt.Fprintln(w, "the tasks:")
		_ = ui.Tasks(indented(w, "  "), r.Tasks, time.Now(), style)
	}
	for _, n := range r.Nodes {
		fmt.Fprintf(w, "node %s: %s\n", ui.Clean(n.Name), ui.Clean(n.Text))
	}
	if r.Unanswered != "" {
		fmt.Fprintf(w, "the swarm: %s\n", ui.Clean(r.Unanswered))
	}
	if len(r.Log) > 0 {
		fmt.Fprintln(w, "of the lab's log:")
		for _, l := range r.Log {
			fmt.Fprintf(w, "  %s\n", ui.Clean(l))
		}
	}
}

// mostLines are those of a plan that is shown in full.
const mostLines = 50

// writePlan writes a plan; of a large one no more than what happens to each
// resource.
func writePlan(w io.Writer, p *plan.Plan, style ui.Style) {
	var b strings.Builder
	_ = ui.Plan(&b, p, ui.PlanOptions{Style: style}) // a builder takes all
	text := strings.Trim(b.String(), "\n")
	if strings.Count(text, "\n") < mostLines {
		fmt.Fprintln(w, text)
		return
	}
	names, lines := ui.NewNames(p), 0
	for _, c := range p.Changes {
		if !c.Changes() {
			continue
		}
		if lines++; lines <= mostLines {
			fmt.Fprintf(w, "%-3s %s\n", c.Action.Sign(), names.Of(c.Address))
		}
	}
	if lines > mostLines {
		fmt.Fprintf(w, "... %d more\n", lines-mostLines)
	}
	fmt.Fprintln(w, text[strings.LastIndexByte(text, '\n')+1:])
}

// fileLine is what is said of a file once all its tests have ended.
func (p *Text) fileLine(f *File) {
	status := Passed
	var parts []string
	for _, c := range []struct {
		n    int
		what string
		s    Status
	}{{p.counts.Skipped, "skipped", Skipped}, {p.counts.NotRun, "not run", Ended}, {p.counts.Failed, "failed", Failed}} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.what))
			if c.s != Skipped || p.counts.Passed == 0 {
				status = c.s
			}
		}
	}
	what := fmt.Sprintf("%d tests", len(f.Tests))
	if len(f.Tests) == 1 {
		what = "1 test"
	}
	if len(parts) > 0 {
		what += " (" + strings.Join(parts, ", ") + ")"
	}
	ui.Mark(p.W, mark(status), fmt.Sprintf("%s  %s  %s", f.Path, what, took(p.counts.Took)), p.Style)
}

// End writes the last line.
func (p *Text) End(s Summary) {
	fmt.Fprintf(p.W, "\n%s in %s.\n", s, took(s.Took))
}

func mark(s Status) string {
	switch s {
	case Passed:
		return "ok"
	case Failed:
		return "FAIL"
	case Skipped:
		return "skip"
	}
	return "----"
}

func took(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// indented puts an indentation before each line that is not empty.
func indented(w io.Writer, by string) io.Writer { return &indenter{w: w, by: by, start: true} }

type indenter struct {
	w     io.Writer
	by    string
	start bool // of a line
}

func (i *indenter) Write(b []byte) (int, error) {
	var out []byte
	for _, c := range b {
		if i.start && c != '\n' {
			out = append(out, i.by...)
		}
		out = append(out, c)
		i.start = c == '\n'
	}
	_, err := i.w.Write(out)
	return len(b), err
}
