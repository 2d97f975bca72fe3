package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/diag"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/testengine"
	"github.com/swarmscript/swarmscript/internal/ui"
)

// The tests in story_*_test.go tell what happens to a project on a real
// engine. Most share one engine of each version, whose swarm is there already;
// their projects and the names of what they declare differ.

// fixture is one project in a folder of its own, and an engine.
type fixture struct {
	*testing.T
	e       *testengine.Engine
	project string
	host    string // of the engine, or of a proxy before it
	dir     string
	opts    Options
	why     string

	mu     sync.Mutex
	said   bytes.Buffer // everything that a person was shown
	hidden []string     // what must not be in it
}

var notInName = regexp.MustCompile(`[^A-Za-z0-9]+`)

func newFixture(t *testing.T, e *testengine.Engine) *fixture {
	t.Helper()
	f := &fixture{T: t, e: e, host: e.Host, dir: t.TempDir(), why: "a story",
		project: notInName.ReplaceAllString(strings.ToLower(t.Name()), "-")}
	f.opts = Options{Timeout: 3 * time.Minute} // a busy computer is slow
	t.Cleanup(f.checkHidden)
	return f
}

// sibling is another project on the same engine.
func (f *fixture) sibling(name string) *fixture {
	g := newFixture(f.T, f.e)
	g.project += "-" + name
	return g
}

// checkHidden is the end of every story: what was hidden was not shown.
func (f *fixture) checkHidden() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.hidden {
		if i := strings.Index(f.said.String(), s); i >= 0 {
			f.Errorf("the secret %q was shown: ...%s...", s, f.said.String()[max(0, i-200):i])
		}
	}
}

// Hide registers a text that nothing may show.
func (f *fixture) Hide(secret string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hidden = append(f.hidden, secret)
	return secret
}

func (f *fixture) say(s string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.said.WriteString(s + "\n")
}

// prelude is in front of every story's script: the swarm is there, and svc is
// a service that is quick to converge.
const prelude = `project(var("project"))
cluster = swarm.init(engine(var("host"), name = "lab"), external = True)
def svc(address, **kw):
    args = dict(image = "swarmtest/web:1", no_resolve_image = True, stop_grace_period = "1s", restart = restart_policy(delay = "500ms"), update = update_policy(monitor = "100ms"))
    args.update(kw)
    return service(address, **args)
`

// Script sets the script, after the prelude.
func (f *fixture) Script(text string) { f.Bare(prelude + text) }

// Bare sets the script as it is.
func (f *fixture) Bare(text string) {
	f.Helper()
	f.opts.File = write(f.T, f.dir, text)
	f.opts.Vars = nil
	for name, value := range map[string]string{"project": f.project, "host": f.host, "addr": f.e.Addr} {
		if strings.Contains(text, `var("`+name+`"`) {
			f.opts.Vars = append(f.opts.Vars, name+"="+value)
		}
	}
}

// TryPlan plans, and records what a person would see.
func (f *fixture) TryPlan(change ...func(*Options)) (*Planned, error) {
	f.Helper()
	opts := f.opts
	for _, c := range change {
		c(&opts)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	p, err := Plan(ctx, opts)
	f.Cleanup(func() { p.Close() })
	if err != nil {
		f.say(err.Error())
		return p, err
	}
	var b bytes.Buffer
	if err := errors.Join(ui.Plan(&b, p.Plan, ui.PlanOptions{}), ui.PlanJSON(&b, p.Plan, "test")); err != nil {
		f.Fatal(err)
	}
	f.say(b.String())
	return p, nil
}

// Plan plans.
func (f *fixture) Plan(change ...func(*Options)) *Planned {
	f.Helper()
	p, err := f.TryPlan(change...)
	if err != nil {
		f.Fatalf("plan: %v", err)
	}
	return p
}

// PlanFails plans, which must end with an error that says all of the texts.
func (f *fixture) PlanFails(texts ...string) { f.PlanFailsWith(nil, texts...) }

func (f *fixture) PlanFailsWith(change func(*Options), texts ...string) {
	f.Helper()
	if change == nil {
		change = func(*Options) {}
	}
	p, err := f.TryPlan(change)
	if err == nil {
		f.Fatalf("there is a plan:\n%s", strings.Join(lines(p.Plan), "\n"))
	}
	f.says(detail(err), texts)
}

// lines is a plan in short: the sign and the address, the arguments that
// differ, the reason.
func lines(p *plan.Plan) []string {
	out := []string{}
	for _, c := range p.Changes {
		if !c.Changes() && c.Action != plan.Check && c.Unsettled == "" && c.Blocked == "" {
			continue
		}
		s := strings.TrimSpace(c.Action.Sign() + " " + c.Address.Short())
		var fields []string
		for _, d := range c.Fields {
			if !slices.Contains(fields, d.Path) {
				fields = append(fields, d.Path)
			}
		}
		if len(fields) > 0 {
			s += ": " + strings.Join(fields, " ")
		}
		for _, note := range []string{c.Reason, c.Unsettled, c.Blocked} {
			if note != "" {
				s += " (" + note + ")"
				break
			}
		}
		out = append(out, s)
	}
	return out
}

// PlanIsEmpty checks that nothing is left to do.
func (f *fixture) PlanIsEmpty() { f.Helper(); f.PlanShows() }

// PlanShows checks that a plan shows just that: "~ service.web: replicas".
func (f *fixture) PlanShows(want ...string) { f.Helper(); f.shows(f.Plan(), want...) }

func (f *fixture) shows(p *Planned, want ...string) {
	f.Helper()
	if got := lines(p.Plan); !slices.Equal(got, append([]string{}, want...)) {
		f.Fatalf("the plan shows:\n  %s\nwant:\n  %s\n%s", strings.Join(got, "\n  "), strings.Join(want, "\n  "), show(p.Plan))
	}
}

func (f *fixture) sink(e apply.Event) {
	s := fmt.Sprintf("%s %s %s %d/%d %s", e.Type, e.Address.Short(), e.Action, e.Done, e.Total, e.Text)
	if e.Err != nil {
		s += " " + e.Err.Error()
	}
	f.say(s)
}

// Carry applies a plan and returns how it ended.
func (f *fixture) Carry(p *Planned, change ...func(*ApplyOptions)) (*apply.Result, error) {
	f.Helper()
	o := ApplyOptions{Why: f.why, Sink: f.sink}
	for _, c := range change {
		c(&o)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute+f.opts.Timeout) // against hanging
	defer cancel()
	r, err := p.Apply(ctx, o)
	if err != nil {
		f.say(err.Error())
	}
	if r != nil {
		var b bytes.Buffer
		code := r.ExitCode()
		if serr := errors.Join(ui.Summary(&b, r, ui.SummaryOptions{Names: ui.NewNames(p.Plan), Exit: code}),
			ui.SummaryJSON(&b, r, ui.SummaryOptions{Exit: code}, time.Now())); serr != nil {
			f.Fatal(serr)
		}
		f.say(b.String())
	}
	return r, err
}

// Apply applies, which must go well.
func (f *fixture) Apply(change ...func(*Options)) *apply.Result {
	f.Helper()
	r, err := f.Carry(f.Plan(change...))
	f.wentWell(r, err)
	return r
}

func (f *fixture) wentWell(r *apply.Result, err error) {
	f.Helper()
	if code, text := ending(r, err); code != apply.ExitOK {
		f.Fatalf("apply ended with %d: %s", code, text)
	}
}

// ApplyEnds applies, which must end with that code and say all of the texts.
func (f *fixture) ApplyEnds(code int, texts ...string) *apply.Result {
	f.Helper()
	r, err := f.Carry(f.Plan())
	f.ended(r, err, code, texts...)
	return r
}

func (f *fixture) ended(r *apply.Result, err error, code int, texts ...string) {
	f.Helper()
	got, text := ending(r, err)
	if got != code {
		f.Fatalf("apply ended with %d, want %d: %s", got, code, text)
	}
	f.says(text, texts)
}

// Repaired checks that a plan shows just that, applies it, and checks that
// nothing is left to do.
func (f *fixture) Repaired(want ...string) {
	f.Helper()
	p := f.Plan()
	f.shows(p, want...)
	f.wentWell(f.Carry(p))
	f.PlanIsEmpty()
}

// ending is an apply's exit code and everything that it says about failures.
func ending(r *apply.Result, err error) (code int, text string) {
	if err != nil {
		return apply.ExitCodeOf(err, apply.ExitError), detail(err)
	}
	var b strings.Builder
	for _, s := range r.Steps {
		switch {
		case s.Err != nil:
			fmt.Fprintf(&b, "%s: %v\n", s.Change.Address.Short(), s.Err)
		case s.Outcome == apply.Omitted:
			fmt.Fprintf(&b, "%s: skipped because of %s\n", s.Change.Address.Short(), s.Because.Short())
		}
	}
	if r.LeaseLost != nil {
		fmt.Fprintf(&b, "%v\n", r.LeaseLost)
	}
	return r.ExitCode(), b.String()
}

// detail is an error with its hints.
func detail(err error) string {
	var b bytes.Buffer
	ui.Diagnostics(&b, diag.From(err), func(string) []byte { return nil }, false)
	return b.String() + err.Error()
}

func (f *fixture) says(text string, want []string) {
	f.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			f.Errorf("this does not say %q:\n%s", w, text)
		}
	}
}

// Docker runs the docker CLI.
func (f *fixture) Docker(args ...string) string { f.Helper(); return f.e.In(f.T).Docker(args...) }

// Names lists what is live of one type under this project's mark: "service",
// "secret", "config", "network".
func (f *fixture) Names(kind string) []string {
	f.Helper()
	out := strings.Fields(f.Docker(kind, "ls", "--filter", "label=swarmscript.project="+f.project, "--format", "{{.Name}}"))
	out = slices.DeleteFunc(out, func(s string) bool { return strings.HasPrefix(s, "swarmscript.") })
	slices.Sort(out)
	return out
}

// Get asks the program in a container on the engine.
func (f *fixture) Get(port int, path string) string {
	f.Helper()
	url := fmt.Sprintf("http://%s:%d%s", f.e.Addr, port, path)
	var last error
	for begun := time.Now(); time.Since(begun) < 3*time.Minute; {
		resp, err := http.Get(url)
		if err != nil {
			last = err
			time.Sleep(50 * time.Millisecond)
			continue
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			f.Fatal(err)
		}
		return string(body)
	}
	f.Fatal(last)
	return ""
}

// eventually waits until something is so.
func (f *fixture) eventually(what string, is func() bool) {
	f.Helper()
	for begun := time.Now(); time.Since(begun) < 3*time.Minute; time.Sleep(50 * time.Millisecond) {
		if is() {
			return
		}
	}
	f.Fatalf("never: %s", what)
}
