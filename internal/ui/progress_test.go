package ui

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/resource"
	"github.com/swarmscript/swarmscript/internal/value"
)

var start = time.Date(2026, 11, 21, 10, 4, 7, 0, time.UTC)

// story is an apply as its events tell it; at is in seconds.
type scene struct {
	at float64
	e  apply.Event
}

func addr(s string) value.Address { return value.Address("swarm.main/" + s) }

func notConverged(address string) error {
	return fmt.Errorf("apply: %w", &resource.NotConverged{
		Address: addr(address), Summary: "did not converge in 60 s",
		Detail: "task db.1 on wrk-1 exited with 1 (4 times in 52 s)\nlast lines of its log:\n" +
			"  \x1b[31m[ERROR]\x1b[0m Database is uninitialized and password option is not specified\n" +
			"          You need to specify one of MARIADB_ROOT_PASSWORD, ...\n",
		RolledBack: "version 118",
	})
}

func story() []scene {
	ev := func(at float64, typ apply.EventType, a string, action plan.Action, text string) scene {
		return scene{at, apply.Event{Type: typ, Address: addr(a), Action: action, Text: text}}
	}
	tasks := func(at float64, a string, done, total int, text string) scene {
		s := ev(at, apply.Progressed, a, plan.Update, text)
		s.e.Done, s.e.Total = done, total
		return s
	}
	took := func(s scene, seconds float64, err error) scene {
		s.e.Elapsed, s.e.Err = time.Duration(seconds*float64(time.Second)), err
		return s
	}
	destroy := func(s scene) scene { s.e.Phase = plan.Destroy; return s }
	return []scene{
		{0, apply.Event{Type: apply.Notice, Text: "waiting for the lease: held by eve@laptop"}},
		ev(0, apply.Started, "network.backend", plan.Create, ""),
		ev(0, apply.Started, "secret.db_password", plan.NewVersion, ""),
		took(ev(0.1, apply.Finished, "secret.db_password", plan.NewVersion, "new version b77e10"), 0.1, nil),
		destroy(ev(0.1, apply.Started, "network.front", plan.Replace, "")),
		took(ev(0.4, apply.Finished, "network.backend", plan.Create, ""), 0.4, nil),
		ev(0.5, apply.Started, "service.web", plan.Update, ""),
		tasks(1, "service.web", 0, 6, ""),
		tasks(1.05, "service.web", 0, 6, ""),
		tasks(2, "service.web", 2, 6, "web.5 preparing on wrk-1"),
		tasks(2.1, "service.web", 2, 6, "web.5 starting on wrk-1"),
		ev(3, apply.Retried, "service.cache", plan.Update, "update out of sequence"),
		took(destroy(ev(3.5, apply.Finished, "network.front", plan.Replace, "")), 3.4, nil),
		ev(3.5, apply.Started, "network.front", plan.Replace, ""),
		tasks(5, "service.web", 4, 6, "web.6 preparing on a-node-with-a-very-long-name-漢字漢字漢字"),
		took(ev(6, apply.Failed, "service.proxy", plan.Replace, ""), 52, notConverged("service.proxy")),
		ev(6, apply.Skipped, "service.slow", plan.NoOp, "because of service.proxy"),
		took(ev(7, apply.Finished, "network.front", plan.Replace, ""), 7, nil),
	}
}

func at(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }

func tell(p Progress) {
	for _, s := range story() {
		s.e.Time = at(s.at)
		p.Event(s.e)
	}
}

func TestLines(t *testing.T) {
	var b bytes.Buffer
	p := NewProgress(Terminal{Out: &b}, Auto, everything())
	tell(p)
	p.Close()
	p.Close()
	golden(t, "progress-lines.txt", b.Bytes())
}

func TestNDJSON(t *testing.T) {
	var b bytes.Buffer
	p := NewProgress(Terminal{Out: &b, Live: true}, JSON, everything())
	tell(p)
	p.Close()
	golden(t, "progress.ndjson", b.Bytes())
	for l := range strings.Lines(b.String()) {
		var v map[string]any
		if err := json.Unmarshal([]byte(l), &v); err != nil {
			t.Fatalf("%v: %s", err, l)
		}
		for _, key := range []string{"@level", "@message", "@timestamp", "type"} {
			if v[key] == "" || v[key] == nil {
				t.Errorf("no %s in %s", key, l)
			}
		}
	}
}

// still is a tree whose clock stands and which draws when told.
func still(s *fakeScreen, p *plan.Plan, now *float64) *tree {
	tr := newTree(s.terminal(), p, func() time.Time { return at(*now) })
	close(tr.stop) // no frames but the test's
	<-tr.done
	tr.stop = make(chan struct{})
	return tr
}

// frames plays the story and draws after each event, as a fast terminal would
// show it. It returns the picture in the middle and the one at the end.
func frames(s *fakeScreen) (middle, end string) {
	now := 0.0
	tr := still(s, everything(), &now)
	for _, sc := range story() {
		now = sc.at
		sc.e.Time = at(now)
		tr.Event(sc.e)
		tr.mu.Lock()
		tr.draw()
		tr.mu.Unlock()
		if sc.at == 5 {
			middle = s.text()
		}
	}
	tr.Close()
	return middle, s.text()
}

func TestTree(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {60, 24}, {120, 24}, {40, 24}, {80, 4}} {
		name := fmt.Sprintf("%dx%d", size[0], size[1])
		t.Run(name, func(t *testing.T) {
			s := newScreen(t, size[0], size[1])
			s.Write([]byte("$ swarmscript apply\r\n"))
			middle, end := frames(s)
			golden(t, "tree-"+name+".txt", []byte(middle+"--- at the end ---\n"+end))
			if s.hidden || !s.wrap {
				t.Error("the cursor is hidden, or lines do not wrap any more")
			}
			if s.x != 0 {
				t.Errorf("the cursor is left in column %d", s.x)
			}
		})
	}
}

// After every frame the terminal is as it should be, so that a killed program
// leaves it so; and no frame is written where nothing changed.
func TestTreeFrames(t *testing.T) {
	s := newScreen(t, 80, 24)
	now := 0.0
	tr := still(s, everything(), &now)
	draw := func() { tr.mu.Lock(); tr.draw(); tr.mu.Unlock() }
	draw()
	if s.frames != 0 {
		t.Error("a frame without anything in it")
	}
	for _, sc := range story() {
		tr.Event(sc.e)
		draw()
		if s.hidden || !s.wrap {
			t.Fatal("a frame leaves a mode behind")
		}
	}
	if n := len(story()); s.frames > n {
		t.Errorf("%d frames for %d events", s.frames, n)
	}
}

// A window that was made narrower has wrapped the tree's lines; the next frame
// still replaces them all.
func TestTreeResize(t *testing.T) {
	tr := &tree{drawn: []int{70, 10, 79}}
	for width, want := range map[int]int{80: 3, 79: 3, 70: 4, 40: 5, 35: 6} {
		if got := tr.rows(width); got != want {
			t.Errorf("width %d: got %d rows, want %d", width, got, want)
		}
	}
}

// locked is a buffer for two goroutines.
type locked struct {
	mu sync.Mutex
	b  bytes.Buffer
	n  int
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n++
	return l.b.Write(b)
}

// Events come as fast as they like; frames do not.
func TestTreeRate(t *testing.T) {
	var out locked
	tr := newTree(Terminal{Out: &out, Live: true, Size: func() (int, int) { return 80, 24 }}, everything(), time.Now)
	begin := time.Now()
	for i := 0; time.Since(begin) < 350*time.Millisecond; i++ {
		tr.Event(apply.Event{Type: apply.Progressed, Address: addr("service.web"), Action: plan.Update, Done: i, Total: 1 << 30})
	}
	tr.Close()
	tr.Close()
	tr.Event(apply.Event{Type: apply.Notice, Text: "late"})
	if most := int(time.Since(begin)/redrawEvery) + 2; out.n > most {
		t.Errorf("%d frames, want at most %d", out.n, most)
	}
	if strings.Contains(out.b.String(), "late") {
		t.Error("an event after Close was shown")
	}
}

// A check that keeps failing in the same way is told with growing gaps; when it
// fails in another way, at once. Without a count nothing is told twice.
func TestRepeatedProgress(t *testing.T) {
	var b bytes.Buffer
	p := NewProgress(Terminal{Out: &b}, Lines, nil)
	for second := range 240 {
		text := "connection refused"
		if second >= 100 {
			text = "status 503"
		}
		p.Event(apply.Event{Time: at(float64(second)), Type: apply.Progressed, Address: "check_http.web", Action: plan.Check, Tried: second + 1, Text: text})
		p.Event(apply.Event{Time: at(float64(second)), Type: apply.Progressed, Address: "volume.data", Action: plan.Delete, Text: "waiting"})
	}
	var told []string
	for _, l := range strings.Split(strings.TrimSpace(b.String()), "\n") {
		if _, said, ok := strings.Cut(l, "check_http.web checking: "); ok {
			told = append(told, said)
		}
	}
	want := []string{
		"connection refused (tried once)", "connection refused (tried 6 times)", "connection refused (tried 16 times)",
		"connection refused (tried 36 times)", "connection refused (tried 76 times)",
		"status 503 (tried 101 times)", "status 503 (tried 106 times)", "status 503 (tried 116 times)", "status 503 (tried 136 times)",
		"status 503 (tried 176 times)", "status 503 (tried 236 times)",
	}
	if !slices.Equal(told, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
	}
	if n := strings.Count(b.String(), "volume.data"); n != 1 {
		t.Errorf("what waits was told %d times", n)
	}
}

func TestSeconds(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0.0 s", 400 * time.Millisecond: "0.4 s", 38200 * time.Millisecond: "38.2 s",
		248 * time.Second: "4 min 08 s", 2*time.Hour + 3*time.Minute: "2 h 03 min",
	} {
		if got := seconds(d); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}

func TestFirstLine(t *testing.T) {
	for in, want := range map[string]string{"a\nb": "a", "\n\x1b[31mred\x1b[0m\a\n": `red\u0007`, "": ""} {
		if got := firstLine(errors.New(in)); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
