package run

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/ui"
)

// desk is a session as a test sits at it: it approves what it is told to.
type desk struct {
	testing.TB
	*Session
	opts  Options
	out   bytes.Buffer
	plans []*plan.Plan
	yes   bool
	asked int
}

func newDesk(t testing.TB, opts Options, script string) *desk {
	t.Helper()
	d := &desk{TB: t, opts: opts}
	if script != "" {
		d.opts.File = write(t, t.TempDir(), script)
	} else if d.opts.Chdir == "" {
		d.opts.Chdir = t.TempDir()
	}
	d.opts.Print = func(msg string) { d.out.WriteString(msg + "\n") }
	s, err := NewSession(d.opts, d)
	if err != nil {
		t.Fatal(err)
	}
	d.Session = s
	return d
}

func (d *desk) Out() io.Writer { return &d.out }
func (d *desk) Width() int     { return 80 }

func (d *desk) Plan(p *Planned) error {
	d.plans = append(d.plans, p.Plan)
	return ui.Plan(&d.out, p.Plan, ui.PlanOptions{})
}

func (d *desk) Apply(ctx context.Context, p *Planned, approved bool) (*apply.Result, error) {
	if !approved {
		d.asked++
	}
	if !approved && !d.yes {
		return nil, nil
	}
	return p.Apply(ctx, ApplyOptions{Why: "a session"})
}

// types evaluates an input and checks what is shown; want begins with "!" for an
// error.
func (d *desk) types(text, want string) string {
	d.Helper()
	d.out.Reset()
	shown, err := d.Eval(context.Background(), text)
	got := d.out.String() + shown
	if err != nil {
		got = "!" + detail(err)
	}
	exact, isExact := strings.CutPrefix(want, "=")
	part, fails := strings.CutPrefix(want, "!")
	if isExact && got != exact || !isExact && !strings.Contains(got, part) || fails != (err != nil) {
		d.Errorf("%s\nshows %q, want %q", text, got, want)
	}
	return got
}

const shop = `project("shop")
cluster = swarm.init(engine("unix:///nowhere.sock", name = "lab"), external = True)

def site(name, *extra, replicas = 2, image = "nginx", **more):
    """A site.

    It serves.
    """
    return service(name, image = image, replicas = replicas, **more)

web = site("web")
hidden = env("HIDDEN", sensitive = True)
ports = {"http": 80, "https": 443}
`

func shopDesk(t testing.TB) *desk {
	d := newDesk(t, Options{Env: func(name string) (string, bool) { return "hunter2", name == "HIDDEN" }}, shop)
	if err := d.Load(context.Background()); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestSessionShows(t *testing.T) {
	d := shopDesk(t)
	d.types("web", "=<swarm.main/service.web>")
	d.types("web.replicas", "=2")
	d.types("web.id", "=(known after apply: service.web.id)")
	d.types("hidden", "=(sensitive value)")
	d.types("print('hi', hidden)", "=hi (sensitive value)\n")
	d.types("ports", `={"http": 80, "https": 443}`)
	d.types("[n * 'abcdefghij' for n in [1, 3, 5]]", "[\n    \"abcdefghij\",\n")
	d.types("x = 1", "=")
	d.types("site('db', port = 1)", `!service: unexpected argument "port" (did you mean "ports"?)`)
	d.types("servce('x')", `!input 10:1:1: undefined: servce (did you mean "service"?)`)
	d.types("wbe", `!input 11:1:1: undefined: wbe (did you mean "web"?)`)
	d.types("x + nothing", "!undefined: nothing")
	d.types("x", "=1")
	d.types("def plan(): return 'mine'\nplan()", `="mine"`)
	d.types("load('//nowhere.star', 'y')", "!nowhere.star: no such file")
	d.types("undeclare(web)", "=")
	d.types("undeclare('service.web')", "!service.web is not declared")
	d.types("undeclare(3)", `!undeclare: got int, want a resource or its address, such as "service.web"`)
	d.types("live(1 == 1)", "!live: got bool")
	if got := string(d.Source("input 10")); got != "servce('x')" {
		t.Errorf("the source of an input is %q", got)
	}
}

// A script's errors leave the session as it was; the next reload may find them
// mended.
func TestSessionReload(t *testing.T) {
	d := shopDesk(t)
	d.types("mine = 1", "=")
	script := func(text string) {
		if err := os.WriteFile(d.opts.File, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	script("project('p')\nboom = nothing\n")
	d.types("reload()", "!cluster.star:2:8: undefined: nothing")
	if !strings.Contains(string(d.Source(filepath.Base(d.opts.File))), "boom = nothing") {
		t.Error("the line of the problem cannot be shown")
	}
	d.types("[web, mine]", "[<swarm.main/service.web>, 1]")
	script("project('p')\nfound = 'new'\n")
	d.types("reload()", "=")
	d.types("found", `="new"`)
	d.types("mine", "!undefined: mine")
	d.types("site", "!undefined: site")
	if p, _ := d.rec.Current(); len(p.Declarations) != 0 || p.Project != "p" {
		t.Errorf("still declared: %+v", p)
	}
	if err := os.Remove(d.opts.File); err != nil {
		t.Fatal(err)
	}
	d.types("reload()", "!no such file")
	d.types("found", `="new"`)
}

// A script does not see what only a session has; a session without a script
// begins empty.
func TestSessionBegins(t *testing.T) {
	d := newDesk(t, Options{}, "live()")
	if err := d.Load(context.Background()); err == nil || !strings.Contains(err.Error(), "undefined: live") {
		t.Errorf("a script calls live(): %v", err)
	}
	d.types("1 + 1", "=2")
	empty := newDesk(t, Options{Vars: []string{"n=3"}}, "")
	if err := empty.Load(context.Background()); err != nil {
		t.Fatal(err)
	}
	empty.types("var('n', 1)", "=3")
	empty.types("service('web', image = 'nginx')", "<swarm.default/service.web>")
	empty.types("plan()", "!the script declares no project")
	wrong := newDesk(t, Options{Vars: []string{"tpyo=3"}}, "x = var('typo', 1)")
	if err := wrong.Load(context.Background()); err == nil || !strings.Contains(err.Error(), `the script has no variable "tpyo"`) {
		t.Errorf("an unknown variable: %v", err)
	}
	wrong.types("reload()", "!the script has no variable")
}

func TestHelp(t *testing.T) {
	d := shopDesk(t)
	for text, want := range map[string][]string{
		"help()":                  {"Of this session\n  help ", "\n  apply ", "\nKinds\n", "  service ", "help(NAME) shows one"},
		"help(service)":           {"service(name, *, image, ...)", "\n  replicas ", "Arguments of every kind", "Outputs, known once"},
		"help('service')":         {"service(name, *, image, ...)"},
		"help(web)":               {"service(name, *, image, ...)"},
		"help(swarm)":             {"swarm.init("},
		"help(swarm.init)":        {"swarm.init("},
		"help('service.ports')":   {"service\n  ports  set of port;", "\nport(target, *, ...)\n"},
		"help('service.timeout')": {"How long the step waits"},
		"help('service.id')":      {"an output"},
		"help(port)":              {"port(target, *, ...)"},
		"help(port(80))":          {"port(target, *, ...)"},
		"help(json)":              {"JSON, as Starlark's own module"},
		"help(apply)":             {"apply(auto_approve=False)", "Shows the plan, asks"},
		"help('plan')":            {"plan()"},
		"help(len)":               {"len is Starlark's own"},
		"help([])":                {"a list: []", "has .append, "},
		"help('abc'.upper)":       {"a builtin_function_or_method"},
		"help(site)":              {"site(name, *extra, replicas=2, image=\"nginx\", **more)\n\n  A site.\n\n  It serves.\n\n  defined at cluster.star:4\n"},
		"help('site')":            {"  A site.\n"},
	} {
		got := d.types(text, want[0])
		for _, w := range want[1:] {
			if !strings.Contains(got, w) {
				t.Errorf("%s does not show %q:\n%s", text, w, got)
			}
		}
	}
	d.types("help('servce')", `!help: there is no builtin "servce" (did you mean "service"?)`)
	d.types("help('service.prots')", `!service has no argument "prots" (did you mean "ports"?)`)
}

func TestComplete(t *testing.T) {
	d := shopDesk(t)
	d.types("row = [{'a key': web}]\ndeep = {'rows': row}", "=")
	for _, tt := range []struct{ text, want string }{ // | is the cursor; want is the word with each candidate
		{"we|", "web"},
		{"si|", "site"},
		{"serv|", "service"},
		{"unde|", "undeclare"},
		{"lamb|", "lambda"},
		{"Tru|", "True"},
		{"web.im|", "web.image"},
		{"web.im|age", "web.image"}, // what is behind the cursor does not matter
		{"swarm.|", "swarm.init"},
		{"json.en|", "json.encode"},
		{"'x'.up|", ""},
		{"nothing.|", ""},
		{"web.id.|", ""}, // what is not known has nothing
		{"row[0]['a key'].ima|", "row[0]['a key'].image"},
		{"deep['rows'][0]['|", "deep['rows'][0]['a key']"},
		{"ports['|", "ports['http'] ports['https']"},
		{"ports[\"https|", "ports[\"https\"]"},
		{"service('x', imag|", "service('x', image = "},
		{"service('x', image = 'a', imag|", "service('x', image = 'a', image"},
		{"service('x', image = 'a', replicas|", "service('x', image = 'a', replicas = service('x', image = 'a', replicas_max_per_node = "},
		{"service('x', image = we|", "service('x', image = web"},
		{"service('x', ports = [port(80, publ|", "service('x', ports = [port(80, published = "},
		{"service('x', cl|", "service('x', cluster = "},
		{"service(\n    'x',\n    imag|", "service(\n    'x',\n    image = "},
		{"site('x', repl|", "site('x', replicas = "},
		{"site('x', mor|", ""}, // **more takes what has another name
		{"apply(aut|", "apply(auto_approve = "},
		{"print(x if replic|", ""},
		{"service('x', mode = 'repl|", "service('x', mode = 'replicated' service('x', mode = 'replicated-job'"},
		{"port(80, mode = \"h|", "port(80, mode = \"host\""},
		{"service('x', image = 'ng|", ""},
		{"diff('|", "diff('service.web' diff('swarm.main'"},
		{"live('sec|", "live('secret'"},
		{"help('service.upd|", "help('service.update'"},
		{"undeclare(\"service.w|", "undeclare(\"service.web\""},
		{"x = 1 # we|", ""},
		{"'we|", ""},
		{"'''we|", ""},
		{"'it' + we|", "'it' + web"},
		{"|", "    "},
		{"def f():\n|", "def f():\n    "},
		{"x = |", ""},
		{"service('x', |", "service('x', after = "},
	} {
		pos := strings.IndexByte(tt.text, '|')
		text := tt.text[:pos] + tt.text[pos+1:]
		from, found := d.Complete(text, pos)
		var got []string
		for _, f := range found {
			got = append(got, text[:from]+f)
		}
		all := strings.Join(got, " ")
		if ok := all == tt.want; !ok && (tt.want == "" || !containsEach(all, tt.want)) {
			t.Errorf("%q: got %q, want %q", tt.text, all, tt.want)
		}
	}
	if _, found := d.Complete("service('x', image = '', |", 25); slices.Contains(found, "image = ") || !slices.Contains(found, "replicas = ") {
		t.Errorf("the arguments left are %q", found)
	}
}

func containsEach(all, want string) bool {
	for _, w := range strings.Split(want, " ") {
		if !strings.Contains(all, w) {
			return false
		}
	}
	return true
}

func FuzzComplete(f *testing.F) {
	for _, text := range []string{"service('x', im", "web.", "ports['h", "((((", "))))", "f(a == b, c=", "\"\"\"x", "'\\", "a.b[0][\"c\"].d", "é.", "x[99999999999999999999].y", "load('"} {
		f.Add(text, len(text))
	}
	d := shopDesk(f)
	f.Fuzz(func(t *testing.T, text string, pos int) {
		from, found := d.Complete(text, pos)
		at := min(max(pos, 0), len(text))
		if from < 0 || from > at {
			t.Fatalf("%q at %d: from %d", text, pos, from)
		}
		for _, c := range found {
			if !strings.HasPrefix(c, text[from:at]) {
				t.Fatalf("%q at %d: %q does not begin with %q", text, pos, c, text[from:at])
			}
		}
	})
}

// A cancelled evaluation ends, and the session goes on.
func TestSessionCancel(t *testing.T) {
	d := shopDesk(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := d.Eval(ctx, "x = 1"); err == nil {
		t.Error("evaluated after its context ended")
	}
	d.types("x", "!undefined: x")
	d.types("1 + 1", "=2")
	if _, err := d.Eval(ctx, "plan()"); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
}
