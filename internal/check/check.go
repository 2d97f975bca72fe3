// Package check holds the kinds that make nothing: check_http, check_tcp and
// check_exec ask whether what a script has declared does what it is for.
//
// A check is made during an apply, after what it comes after has converged, and
// again and again until it passes or its time is over. Then it fails with what
// it saw: each answer once, with how often it came, and the last one in full.
package check

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Pace is how often a check is tried. Its fields are those of every check.
type Pace struct {
	Interval   time.Duration
	TryTimeout time.Duration
}

// firstPause is that after the first try; each next one is twice as long, up to
// the interval.
const firstPause = 250 * time.Millisecond

// failure is what one try saw.
type failure struct {
	short  string // in a few words, the same for the same cause
	detail string // the lines that say more; may be ""
	final  bool   // it will not get better
}

// until tries until the probe finds nothing wrong, or ctx ends.
func until(ctx context.Context, r *resource.Request, p Pace, probe func(context.Context) *failure) error {
	h := &history{began: time.Now()}
	hide := hider(r.Args)
	for pause := min(firstPause, p.Interval); ; pause = min(2*pause, p.Interval) {
		try, cancel := context.WithTimeout(ctx, p.TryTimeout)
		f := probe(try)
		cancel()
		if f == nil {
			return nil
		}
		if ctx.Err() == nil || h.tries == 0 { // one that was cut short says nothing
			h.add(failure{hide(f.short), hide(f.detail), f.final})
		}
		r.Progress(resource.Progress{Text: h.last().short, Tried: h.tries})
		if f.final {
			return h.report(r.Address, "does not pass")
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
			continue
		case <-ctx.Done():
		}
		t.Stop()
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return errors.Join(h.report(r.Address, "had not passed when it was stopped"), ctx.Err())
		}
		return h.report(r.Address, "did not pass")
	}
}

// history is what the tries saw: runs of the same failure.
type history struct {
	began time.Time
	tries int
	runs  []run
}

type run struct {
	failure
	n int
}

// mostRuns bounds what is told of a check that fails in ever new ways.
const mostRuns = 6

func (h *history) add(f failure) {
	h.tries++
	if n := len(h.runs); n > 0 && h.runs[n-1].short == f.short {
		h.runs[n-1].failure = f
		h.runs[n-1].n++
		return
	}
	h.runs = append(h.runs, run{f, 1})
}

func (h *history) last() failure { return h.runs[len(h.runs)-1].failure }

func (h *history) report(a value.Address, how string) error {
	lines := []string{h.last().short}
	if len(h.runs) > 1 {
		lines = []string{"it saw, in this order:"}
		first := max(0, len(h.runs)-mostRuns)
		if first > 0 {
			lines = append(lines, fmt.Sprintf("  (%d others before)", first))
		}
		for _, r := range h.runs[first:] {
			lines = append(lines, fmt.Sprintf("  %s, %s", r.short, times(r.n)))
		}
	}
	if d := h.last().detail; d != "" {
		lines = append(lines, d)
	}
	lines = append(lines, "swarmscript check asks again")
	took := time.Since(h.began).Round(100 * time.Millisecond)
	return &resource.NotConverged{
		Address: a,
		Summary: fmt.Sprintf("%s: tried %s in %s", how, times(h.tries), took),
		Detail:  strings.Join(lines, "\n"),
	}
}

// spent says how long a try took that was ended: its own limit, or less where
// the time for all tries was over.
func spent(begun time.Time, limit time.Duration) string {
	if d := time.Since(begun); d < limit {
		return d.Round(100 * time.Millisecond).String()
	}
	return limit.String()
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// hider returns the function that hides from a text what is sensitive in the
// arguments: an answer may repeat what it was sent.
func hider(args value.Struct) func(string) string {
	var pairs []string
	var visit func(v value.Value, secret bool)
	visit = func(v value.Value, secret bool) {
		switch x := v.(type) {
		case value.Secret:
			visit(x.V, true)
		case value.List:
			for _, e := range x {
				visit(e, secret)
			}
		case value.Struct:
			for _, e := range x {
				visit(e, secret)
			}
		case *value.Map:
			if x != nil {
				for _, e := range x.Entries {
					visit(e.Value, secret)
				}
			}
		default:
			s := value.Text(v)
			if !secret || s == "" {
				return
			}
			pairs = append(pairs, s, value.Hidden)
			for _, word := range strings.Fields(s) { // the token of "Bearer TOKEN"
				if len(word) >= minSecret {
					pairs = append(pairs, word, value.Hidden)
				}
			}
		}
	}
	visit(args, false)
	if pairs == nil {
		return func(s string) string { return s }
	}
	return strings.NewReplacer(pairs...).Replace
}

// minSecret is the length from which on a word of something sensitive is hidden
// by itself.
const minSecret = 7

// excerptMax is how much of an answer is shown.
const excerptMax = 600

// excerpt is the beginning of an answer, indented, or that it is empty.
func excerpt(what string, body []byte) string {
	text := strings.TrimRight(strings.ToValidUTF8(string(body), "?"), "\n\r ")
	if text == "" {
		return "its " + what + " is empty"
	}
	cut := ""
	if len(text) > excerptMax {
		text, cut = strings.ToValidUTF8(text[:excerptMax], ""), fmt.Sprintf("\n  ... of %d bytes", len(body))
	}
	return "its " + what + ":\n  " + strings.ReplaceAll(text, "\n", "\n  ") + cut
}
