package operate

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/swarmscript/swarmscript/internal/diag"
)

// hintsOf is all that an error says.
func hintsOf(err error) string {
	var out []string
	for _, d := range diag.From(err) {
		out = append(out, d.Summary, d.Hint)
	}
	return strings.Join(out, "\n")
}

func TestParseLine(t *testing.T) {
	for _, tt := range []struct {
		in, at, task, node, text string
	}{
		{"2026-11-21T11:00:41.421500778Z com.docker.swarm.node.id=n1,com.docker.swarm.service.id=s1,com.docker.swarm.task.id=t1 hello there",
			"2026-11-21T11:00:41.421500778Z", "t1", "n1", "hello there"},
		{"2026-11-21T11:00:41Z com.docker.swarm.task.id=t%2C1  two blanks", "2026-11-21T11:00:41Z", "t,1", "", " two blanks"},
		{"2026-11-21T11:00:41Z com.docker.swarm.task.id=t1 ", "2026-11-21T11:00:41Z", "t1", "", ""},
		{"2026-11-21T11:00:41Z com.docker.swarm.task.id=t1", "2026-11-21T11:00:41Z", "t1", "", ""},
		{"no time at all", "0001-01-01T00:00:00Z", "", "", "no time at all"},
		{"", "0001-01-01T00:00:00Z", "", "", ""},
	} {
		at, task, node, text := parseLine([]byte(tt.in))
		if at.Format(time.RFC3339Nano) != tt.at || task != tt.task || node != tt.node || text != tt.text {
			t.Errorf("%q: got %s, %q, %q, %q", tt.in, at, task, node, text)
		}
	}
}

func FuzzParseLine(f *testing.F) {
	f.Add("2026-11-21T11:00:41Z com.docker.swarm.task.id=t1 x")
	f.Add("%zz =,= x")
	f.Fuzz(func(t *testing.T, line string) {
		_, _, _, text := parseLine([]byte(line))
		if !strings.HasSuffix(line, text) {
			t.Errorf("%q became %q", line, text)
		}
	})
}

// Lines come as they were written, whatever the pieces are that arrive.
func FuzzLineWriter(f *testing.F) {
	f.Add("a\nbb\r\nccc", uint8(2))
	f.Add("\n\n", uint8(1))
	f.Fuzz(func(t *testing.T, text string, size uint8) {
		var got []string
		w := &lineWriter{line: func(_ string, raw []byte) { got = append(got, string(raw)) }}
		for piece := range slices.Chunk([]byte(text), int(size)+1) {
			if n, err := w.Write(piece); n != len(piece) || err != nil {
				t.Fatalf("got %d, %v", n, err)
			}
		}
		w.end()
		want := strings.Split(text, "\n")
		if want[len(want)-1] == "" {
			want = want[:len(want)-1]
		}
		for i, l := range want {
			if i < len(want)-1 || strings.HasSuffix(text, "\n") {
				want[i] = strings.TrimSuffix(l, "\r")
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// Lines of several tasks are told in the order of their times; those of one
// time as they came.
func TestSortLines(t *testing.T) {
	for _, follow := range []bool{false, true} {
		in := make(chan Line)
		go func() {
			defer close(in)
			for i, sec := range []int{3, 1, 2, 2, 0} {
				in <- Line{Time: start.Add(time.Duration(sec) * time.Second), Text: fmt.Sprint(sec, ".", i)}
			}
		}()
		var got []string
		sortLines(in, follow, func(l Line) { got = append(got, l.Text) })
		if want := []string{"0.4", "1.1", "2.2", "2.3", "3.0"}; !slices.Equal(got, want) {
			t.Errorf("follow %v: got %v", follow, got)
		}
	}
}

// What is read again after a connection broke is told once, and what is long
// gone is not kept.
func TestRepeated(t *testing.T) {
	r := &logReader{}
	line := func(sec int) ([]byte, time.Time) {
		at := start.Add(time.Duration(sec) * time.Second)
		return []byte(at.Format(time.RFC3339Nano) + " x"), at
	}
	for sec := range 100 {
		raw, at := line(sec)
		if r.repeated(at, raw) {
			t.Fatalf("line %d is new", sec)
		}
	}
	for sec := 100 - int(overlap/time.Second); sec < 100; sec++ {
		if raw, at := line(sec); !r.repeated(at, raw) {
			t.Errorf("line %d was told", sec)
		}
	}
	if n := len(r.seen) + len(r.old); n > 30 {
		t.Errorf("%d lines are kept", n)
	}
}
