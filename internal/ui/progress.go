package ui

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

// Progress shows an apply while it runs. Event is called from one goroutine at
// a time; it does not wait for the terminal longer than one write takes. Close
// ends it, and leaves the terminal as it was; it may be called twice.
type Progress interface {
	Event(apply.Event)
	Close()
}

// Mode is how progress is shown.
type Mode int

const (
	Auto Mode = iota // a live tree on a terminal, lines elsewhere
	Lines
	JSON
	Quiet
)

// NewProgress returns what shows the apply of a plan.
func NewProgress(t Terminal, mode Mode, p *plan.Plan) Progress {
	switch {
	case mode == JSON:
		return &jsonProgress{w: t.Out, limit: newLimiter(), began: map[step]time.Time{}}
	case mode == Quiet:
		return quiet{}
	case mode == Auto && t.Live && t.Size != nil:
		return newTree(t, p, time.Now)
	}
	return &lineProgress{term: t, words: newWords(p), limit: newLimiter()}
}

type quiet struct{}

func (quiet) Event(apply.Event) {}
func (quiet) Close()            {}

// lineProgress prints one line for each event that says something new:
//
//	2026-11-21T10:04:07Z service.web updating 2/6
type lineProgress struct {
	term  Terminal
	words *words
	limit *limiter
	b     []byte
}

func (l *lineProgress) Event(e apply.Event) {
	if !l.limit.allow(e) {
		return
	}
	l.b = e.Time.UTC().AppendFormat(l.b[:0], "2006-01-02T15:04:05Z")
	l.b = append(l.b, ' ')
	if e.Address != "" {
		l.b = append(append(l.b, l.words.names.Of(e.Address)...), ' ')
	}
	l.b = append(l.b, l.words.sentence(e)...)
	l.b = append(l.b, '\n')
	l.term.Out.Write(l.b) // there is nobody to tell that telling failed
}

func (l *lineProgress) Close() {}

// step tells the steps of a plan apart. Two old versions of one secret go
// under one address; what is said of one is then said of both.
type step struct {
	address value.Address
	action  plan.Action
	phase   plan.Phase
}

func stepOf(e apply.Event) step { return step{e.Address, e.Action, e.Phase} }

// limiter drops progress that repeats itself, and of progress in words alone
// (a download's percentage) all but one a second. Counted tasks always pass:
// there are not many of them. What is tried again and again, and ends as before,
// is told after firstGap, and after ever longer ones up to lastGap.
type limiter struct {
	last map[step]progressed
}

type progressed struct {
	done, total, tried int
	text               string
	at                 time.Time
	gap                time.Duration // until the same may be told again
}

const firstGap, lastGap = 5 * time.Second, time.Minute

func newLimiter() *limiter { return &limiter{last: map[step]progressed{}} }

func (l *limiter) allow(e apply.Event) bool {
	s := stepOf(e)
	switch e.Type {
	case apply.Progressed:
	case apply.Finished, apply.Failed, apply.Skipped:
		delete(l.last, s)
		return true
	default:
		return true
	}
	was, seen := l.last[s]
	now := progressed{e.Done, e.Total, e.Tried, e.Text, e.Time, firstGap}
	if seen && was.done == now.done && was.total == now.total {
		waits := time.Second
		if was.text == now.text {
			waits, now.gap = was.gap, min(2*was.gap, lastGap)
		}
		if was.text == now.text && was.tried == now.tried || now.at.Sub(was.at) < waits {
			return false
		}
	}
	if !seen && now.total == 0 && now.text == "" {
		return false
	}
	l.last[s] = now
	return true
}

// words turns events into words.
type words struct {
	names *Names
	plan  map[value.Address]*plan.Change
}

func newWords(p *plan.Plan) *words {
	w := &words{names: NewNames(p), plan: map[value.Address]*plan.Change{}}
	if p != nil {
		for _, c := range p.Changes {
			if !c.Action.Drops() || w.plan[c.Address] == nil {
				w.plan[c.Address] = c
			}
		}
	}
	return w
}

var (
	doing = [...]string{
		plan.NoOp: "waiting", plan.Read: "reading", plan.Check: "checking", plan.Create: "creating", plan.Update: "updating",
		plan.Replace: "creating the new one", plan.NewVersion: "making a new version", plan.Delete: "deleting",
		plan.Release: "releasing",
	}
	done = [...]string{
		plan.NoOp: "converged", plan.Read: "read", plan.Check: "passed", plan.Create: "created", plan.Update: "updated",
		plan.Replace: "replaced", plan.NewVersion: "new version", plan.Delete: "deleted",
		plan.Release: "released",
	}
)

func (w *words) doing(e apply.Event) string {
	if e.Action == plan.Replace && e.Phase == plan.Destroy {
		return "deleting the old one"
	}
	return doing[e.Action]
}

func (w *words) done(e apply.Event) string {
	switch {
	case e.Action == plan.Replace && e.Phase == plan.Destroy:
		return "old one deleted"
	case e.Action == plan.NewVersion && e.Text == "":
		if c := w.plan[e.Address]; c != nil && c.Name != "" {
			return done[e.Action] + " " + clean(versionOf(c))
		}
	case e.Text != "":
		return clean(e.Text)
	}
	return done[e.Action]
}

// sentence says an event in one line.
func (w *words) sentence(e apply.Event) string {
	switch e.Type {
	case apply.Started:
		return w.doing(e) + textAfter(": ", e.Text)
	case apply.Progressed:
		return w.doing(e) + tasks(e, " ") + textAfter(": ", said(e))
	case apply.Retried:
		return "tried again" + textAfter(": ", e.Text)
	case apply.Finished:
		return w.done(e) + tookAfter(" in ", e.Elapsed)
	case apply.Failed:
		return "failed" + tookAfter(" after ", e.Elapsed) + textAfter(": ", firstLine(e.Err))
	case apply.Skipped:
		return "skipped" + textAfter(": ", e.Text)
	}
	return clean(e.Text)
}

// said is an event's text, with how often it was tried.
func said(e apply.Event) string {
	switch e.Tried {
	case 0:
		return e.Text
	case 1:
		return e.Text + " (tried once)"
	}
	return e.Text + " (tried " + strconv.Itoa(e.Tried) + " times)"
}

func textAfter(sep, text string) string {
	if text == "" {
		return ""
	}
	return sep + clean(text)
}

func tookAfter(sep string, d time.Duration) string {
	if d <= 0 {
		return ""
	}
	return sep + seconds(d)
}

func tasks(e apply.Event, sep string) string {
	if e.Total == 0 {
		return ""
	}
	return sep + strconv.Itoa(e.Done) + "/" + strconv.Itoa(e.Total)
}

// seconds shows how long something took: 0.4 s, 38.2 s, 4 min 08 s.
func seconds(d time.Duration) string {
	d = max(d, 0)
	if d < 100*time.Second {
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	}
	s := int(d.Seconds())
	if s < 3600 {
		return strconv.Itoa(s/60) + " min " + two(s%60) + " s"
	}
	return strconv.Itoa(s/3600) + " h " + two(s/60%60) + " min"
}

func two(n int) string {
	if n < 10 {
		return "0" + strconv.Itoa(n)
	}
	return strconv.Itoa(n)
}

// firstLine says an error in one line; the rest is for the summary.
func firstLine(err error) string {
	if err == nil {
		return ""
	}
	s := err.Error()
	var nc *resource.NotConverged
	switch {
	case errors.As(err, &nc):
		s = nc.Summary
	case errors.Is(err, context.Canceled):
		s = "aborted"
	}
	s, _, _ = strings.Cut(strings.TrimSpace(stripEscapes(s)), "\n")
	return clean(s)
}
