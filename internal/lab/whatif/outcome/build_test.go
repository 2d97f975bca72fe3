package outcome

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// story makes a trace of one service, web, from lines such as
//
//	0 made 3.2; 0 runs 3.2 on a
//
// each with the round, what happened, the task as slot.version, and the node.
func story(t *testing.T, s TraceService, text string) *Trace {
	t.Helper()
	kinds := map[string]Kind{"found": Found, "made": Made, "waits": Waits, "runs": Runs, "stops": Stops, "rejected": Rejected, "ended": Ended, "done": Done}
	s.IDs, s.Name = []string{"web-id"}, "web"
	if s.Mode == "" {
		s.Mode = "replicated"
	}
	out := &Trace{Swarm: "swarm.main", Services: []TraceService{s}, Nodes: []TraceNode{{ID: "a-id", Name: "a"}, {ID: "b-id", Name: "b"}}}
	for line := range strings.SplitSeq(text, ";") {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		e := Event{Service: "web-id", Task: words[2]}
		var version int
		if _, err := fmt.Sscanf(words[0], "%d", &e.Round); err != nil {
			t.Fatal(err)
		}
		var known bool
		if e.Kind, known = kinds[words[1]]; !known {
			t.Fatalf("unknown: %s", line)
		}
		if _, err := fmt.Sscanf(words[2], "%d.%d", &e.Slot, &version); err != nil { // slot.version
			t.Fatal(err)
		}
		e.Spec = uint64(version)
		if i := slices.Index(words, "on"); i > 0 {
			e.Node = words[i+1] + "-id"
		}
		if e.Kind == Waits {
			e.Why = "no suitable node"
		}
		out.Events = append(out.Events, e)
		out.Rounds = max(out.Rounds, e.Round+1)
	}
	return out
}

// policy has containers that start and stop in a second, and no delays.
func policy(change func(*Policy)) TraceService {
	p := Policy{Parallelism: 1, Start: time.Second, Stop: time.Second, Monitor: 5 * time.Second, RestartDelay: 5 * time.Second}
	if change != nil {
		change(&p)
	}
	return TraceService{Policy: p, Address: "swarm.main/service.web", Action: "update"}
}

// Tasks are written as slot.version. The times are those that SwarmKit's updater
// would take: its workers go on when their new task runs and the delay is over.
func TestBuild(t *testing.T) {
	startFirst := func(p *Policy) { p.StartFirst = true }
	tests := []struct {
		name    string
		service TraceService
		text    string
		want    string // seconds, interrupted, fewest; renewed, moved
	}{
		{"one stops first", policy(nil),
			"0 found 1.1 on a; 0 made 1.2; 0 stops 1.1; 0 ended 1.1; 0 runs 1.2 on b", "7 s, interrupted 2, fewest 0; renewed 1, moved 0"},
		{"one starts first", policy(startFirst),
			"0 found 1.1 on a; 0 made 1.2; 0 runs 1.2 on a; 0 stops 1.1; 0 ended 1.1", "6 s, interrupted 0, fewest 1; renewed 1, moved 0"},
		{"two, one after the other", policy(func(p *Policy) { p.Delay = 10 * time.Second }),
			`0 found 1.1 on a; 0 found 2.1 on b; 0 made 1.2; 0 stops 1.1; 0 runs 1.2 on a; 0 made 2.2; 0 stops 2.1; 0 runs 2.2 on b`,
			"35 s, interrupted 0, fewest 1; renewed 2, moved 0"},
		{"two at once", policy(func(p *Policy) { p.Parallelism = 0 }),
			`0 found 1.1 on a; 0 found 2.1 on b; 0 made 1.2; 0 stops 1.1; 0 made 2.2; 0 stops 2.1; 0 runs 1.2 on a; 0 runs 2.2 on b`,
			"7 s, interrupted 2, fewest 0; renewed 2, moved 0"},
		{"three by two workers", policy(func(p *Policy) { p.Parallelism, p.Delay = 2, 3*time.Second }),
			`0 found 1.1 on a; 0 found 2.1 on b; 0 found 3.1 on b; 0 made 1.2; 0 stops 1.1; 0 made 2.2; 0 stops 2.1; 0 runs 1.2 on a; 0 runs 2.2 on b; 0 made 3.2; 0 stops 3.1; 0 runs 3.2 on a`,
			"15 s, interrupted 0, fewest 1; renewed 3, moved 0"},
		{"a health check is waited for, and nothing is watched twice", policy(func(p *Policy) { p.Start, p.Healthy = 31*time.Second, true }),
			"0 made 1.1; 0 runs 1.1 on a", "31 s, interrupted 0, fewest 0; renewed 0, moved 0"},
		{"a drained node", policy(nil),
			"0 found 1.1 on a; 0 stops 1.1; 0 made 1.1x; 0 ended 1.1; 0 runs 1.1x on b", "2 s, interrupted 2, fewest 0; renewed 0, moved 1"},
		{"a node that matches no more: the restart delay counts", policy(nil),
			"0 found 1.1 on a; 0 rejected 1.1; 0 made 1.1x; 0 runs 1.1x on b", "6 s, interrupted 6, fewest 0; renewed 0, moved 1"},
		{"nowhere to go", policy(nil),
			"0 found 1.1 on a; 0 stops 1.1; 0 made 1.1x; 0 ended 1.1; 0 waits 1.1x", "1 s, down, fewest 0; renewed 0, moved 1; pending web.1"},
		{"room comes later", policy(nil),
			"0 found 1.1 on a; 0 found 2.1 on b; 0 stops 1.1; 0 made 1.1x; 0 ended 1.1; 0 waits 1.1x; 1 stops 2.1; 1 ended 2.1; 2 runs 1.1x on b",
			"8 s, interrupted 2, fewest 0; renewed 0, moved 1"},
		{"fewer", policy(nil), "0 found 1.1 on a; 0 found 2.1 on b; 0 stops 2.1; 0 ended 2.1", "1 s, interrupted 0, fewest 1; renewed 0, moved 0"},
		{"scaled to none is no interruption", func() TraceService { s := policy(nil); s.Zero = true; return s }(),
			"0 found 1.1 on a; 0 stops 1.1; 0 ended 1.1", "1 s, interrupted 0, fewest 0; renewed 0, moved 0"},
		{"nothing", policy(nil), "0 found 1.1 on a", "nothing"},
		{"a job completes", func() TraceService { s := policy(nil); s.Mode = "replicated-job"; return s }(),
			"0 made 1.1; 0 runs 1.1 on a; 0 done 1.1", "1 s, interrupted 0, fewest 0; renewed 0, moved 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := Build(story(t, tt.service, tt.text))
			got := "nothing"
			if len(r.Services) == 1 {
				got = brief(r.Services[0])
			}
			if got != tt.want {
				t.Errorf("got %s\nwant %s", got, tt.want)
			}
		})
	}
}

func brief(s Service) string {
	out := fmt.Sprintf("%g s, interrupted %g, fewest %d; renewed %d, moved %d", s.Seconds, s.Interrupted, s.Fewest, s.Renewed, s.Moved)
	if s.Down {
		out = strings.Replace(out, "interrupted 0", "down", 1)
	}
	for _, p := range s.Pending {
		out += "; pending " + p.Task
	}
	return out
}

// What a service asks of the nodes may be sensitive: then nobody is told why it
// has none.
func TestHidden(t *testing.T) {
	s := policy(nil)
	s.Hidden, s.Refused = true, "port '4711' is already in use"
	r := Build(story(t, s, "0 made 1.1; 0 waits 1.1"))
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "4711") || r.Services[0].Pending[0].Why != "no suitable node (what it asks for is sensitive)" {
		t.Errorf("it says %s", text)
	}
}

// Rounds follow each other: a service that waits for another begins when that one
// is done.
func TestRounds(t *testing.T) {
	tr := story(t, policy(nil), "0 made 1.1; 0 runs 1.1 on a; 1 made 2.1; 1 runs 2.1 on a")
	if r := Build(tr); r.Seconds != 12 || r.Nodes[0] != (Node{Name: "a", After: 2}) {
		t.Errorf("it takes %g s, nodes %+v", r.Seconds, r.Nodes)
	}
}

// The same trace gives the same report, also where maps are in the way.
func TestSameReport(t *testing.T) {
	text := "0 found 1.1 on a; 0 found 2.1 on b; 0 found 10.1 on c; 0 made 1.2; 0 stops 1.1; 0 runs 1.2 on b; 0 made 12.2; 0 waits 12.2; 0 made 3.2; 0 waits 3.2"
	first, _ := json.Marshal(Build(story(t, policy(nil), text)))
	for range 20 {
		if again, _ := json.Marshal(Build(story(t, policy(nil), text))); string(again) != string(first) {
			t.Fatalf("%s\n%s", first, again)
		}
	}
}
