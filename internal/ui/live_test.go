package ui

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/operate"
	"github.com/swarmscript/swarmscript/internal/plan"
)

func TestLogText(t *testing.T) {
	for _, tt := range []struct{ in, colored, plain string }{
		{"plain\twith a tab", "plain\twith a tab", "plain\twith a tab"},
		{"\x1b[31mred\x1b[0m end", "\x1b[31mred\x1b[0m end\x1b[0m", "red end"},
		{"\x1b[1;32mgreen, not ended", "\x1b[1;32mgreen, not ended\x1b[0m", "green, not ended"},
		{"\x1b[2J\x1b[1;1Hgone", "gone", "gone"},
		{"\x1b[K\x1b[33mx", "\x1b[33mx\x1b[0m", "x"},
		{"\x1b[", "", ""},
		{"\x1b[31", "", ""},
		{"bell\a", `bell\u0007`, `bell\u0007`},
		{"\x1b]0;title\a", `\u001b]0;title\u0007`, `\u001b]0;title\u0007`},
	} {
		if got := logText(tt.in, true); got != tt.colored {
			t.Errorf("%q in colour: got %q, want %q", tt.in, got, tt.colored)
		}
		if got := logText(tt.in, false); got != tt.plain {
			t.Errorf("%q: got %q, want %q", tt.in, got, tt.plain)
		}
	}
}

// No line of a log moves a person's cursor.
func FuzzLogText(f *testing.F) {
	f.Add("a\x1b[31mb\x1b[2Jc\x1b", true)
	f.Fuzz(func(t *testing.T, s string, color bool) {
		got := logText(s, color)
		for i, rest, ok := 0, got, true; ok; i++ {
			if _, rest, ok = strings.Cut(rest, "\x1b"); ok {
				code := strings.TrimLeft(strings.TrimPrefix(rest, "["), "0123456789;")
				if !color || !strings.HasPrefix(rest, "[") || !strings.HasPrefix(code, "m") {
					t.Fatalf("%q became %q", s, got)
				}
			}
		}
		if strings.ContainsAny(got, "\r\n\a\b\v\f") {
			t.Fatalf("%q became %q", s, got)
		}
	})
}

func TestLogs(t *testing.T) {
	at := time.Date(2026, 11, 21, 10, 4, 7, 5000, time.UTC)
	lines := []operate.Line{{Time: at, Task: "web.1", Service: "web", Text: "one"}, {Time: at, Task: "api.wrk-1", Service: "api", Text: "two"}, {Time: at, Task: "web.1", Text: "three"}}
	for _, tt := range []struct {
		o    LogOptions
		want string
	}{
		{LogOptions{}, "web.1 | one\napi.wrk-1 | two\nweb.1     | three\n"},
		{LogOptions{Tasks: []string{"web.1", "api.wrk-1"}}, "web.1     | one\napi.wrk-1 | two\nweb.1     | three\n"},
		{LogOptions{NoPrefix: true, Timestamps: true}, "2026-11-21T10:04:07.000005Z one\n2026-11-21T10:04:07.000005Z two\n2026-11-21T10:04:07.000005Z three\n"},
		{LogOptions{Style: Style{Color: true}}, "\x1b[36mweb.1 |\x1b[0m one\n\x1b[32mapi.wrk-1 |\x1b[0m two\n\x1b[36mweb.1     |\x1b[0m three\n"},
	} {
		var b bytes.Buffer
		l := NewLogs(&b, tt.o)
		for _, line := range lines {
			if err := l.Line(line); err != nil {
				t.Fatal(err)
			}
		}
		if b.String() != tt.want {
			t.Errorf("%+v: got\n%swant\n%s", tt.o, b.String(), tt.want)
		}
	}
}

func TestStatus(t *testing.T) {
	services := []operate.ServiceStatus{
		{Name: "web", Running: 4, Desired: 4},
		{Name: "database", Running: 0, Desired: 12, Problems: []string{"task db.1 on wrk-1 exited with 1 (4 times in 52s)", "its update is paused"}},
		{Name: "api", Running: 1, Desired: 2, Waits: "api.2 preparing on wrk-1"},
		{Name: "nightly", Running: 2, Desired: 2, Job: true},
	}
	drift := &plan.Plan{Project: "shop", Changes: []*plan.Change{change(networkKind, "backend", plan.Update), change(networkKind, "old", plan.Delete), change(networkKind, "same", plan.NoOp)}}
	owed := &plan.Plan{Project: "shop", Changes: []*plan.Change{change(networkKind, "probe", plan.Check)}}
	owed.Changes[0].Owed = true
	for _, tt := range []struct {
		s    ProjectStatus
		fine bool
		want string
	}{
		{ProjectStatus{Project: "shop", Where: "swarm.main, 1 node, 1 service", Services: services[:1], Plan: &plan.Plan{}}, true,
			"shop: swarm.main, 1 node, 1 service\n\n  web  4/4 running\n\nWhat is live is as the script says.\n"},
		{ProjectStatus{Project: "shop", Where: "swarm.main, 1 node, 1 service", Services: services[:1], Plan: owed}, false, `shop: swarm.main, 1 node, 1 service

  web  4/4 running

has not passed in the last apply: network.probe (swarmscript check asks again)
What is live is as the script says.
`},
		{ProjectStatus{Where: "2 nodes, 0 services", Nodes: []operate.NodeStatus{{Name: "wrk-1", Role: "worker", Text: "drained: it takes no tasks"}}}, true,
			"2 nodes, 0 services\n\n  node wrk-1 (worker) is drained: it takes no tasks\n\n"},
		{ProjectStatus{Where: "x", Services: services, Nodes: []operate.NodeStatus{{Name: "wrk-2", Role: "worker", Text: "down: heartbeat failure", Down: true}}, Plan: drift}, false, `x

  web       4/4  running
  database  0/12 running
      task db.1 on wrk-1 exited with 1 (4 times in 52s)
      its update is paused
  api       1/2  running   api.2 preparing on wrk-1
  nightly   2/2  completed
  node wrk-2 (worker) is down: heartbeat failure

not as the script says: ~ network.backend, - network.old
swarmscript plan shows it; swarmscript apply makes it so.
`},
	} {
		var b, j bytes.Buffer
		if err := Status(&b, &tt.s, Style{}); err != nil {
			t.Fatal(err)
		}
		if err := StatusJSON(&j, &tt.s); err != nil {
			t.Fatal(err)
		}
		if b.String() != tt.want || tt.s.Fine() != tt.fine {
			t.Errorf("fine is %t, want %t; got\n%swant\n%s", tt.s.Fine(), tt.fine, b.String(), tt.want)
		}
		if fine := strings.Contains(j.String(), `"fine": true`); fine != tt.fine {
			t.Errorf("JSON says %s", j.String())
		}
	}
}

func TestTaskTable(t *testing.T) {
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	var b bytes.Buffer
	err := Tasks(&b, []operate.Task{
		{Name: "db.1", Node: "wrk-1", Desired: "running", State: "failed", Since: now.Add(-90 * time.Minute), Image: "db:1", Error: "non-zero exit (1)", Failures: 3, Bad: true},
		{Name: "db.1", Node: "wrk-1", Desired: "shutdown", State: "failed", Since: now.Add(-3 * time.Hour), Image: "db:1", Error: "non-zero exit (1)", Past: true},
		{Name: "web.1", Desired: "running", State: "pending", Since: now.Add(time.Minute), Image: "web:1", Error: "no suitable node (scheduling constraints not satisfied on 3 nodes; and much more than fits into a line)"},
		{Name: "web.2", Node: "wrk-1", Desired: "running", State: "running", Since: now.Add(-72 * time.Hour), Image: "web:1"},
	}, now, Style{Width: 60})
	if err != nil {
		t.Fatal(err)
	}
	const want = `TASK       NODE    DESIRED    CURRENT              IMAGE
db.1       wrk-1   running    failed 90 min ago    db:1
    non-zero exit (1) (3 tasks of this slot failed)
 \_ db.1   wrk-1   shutdown   failed 3 h ago       db:1
    non-zero exit (1)
web.1      -       running    pending just now     web:1
    no suitable node (scheduling constraints not satisfied
    on 3 nodes; and much more than fits into a line)
web.2      wrk-1   running    running 3 days ago   web:1
`
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}
