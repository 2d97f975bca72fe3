package operate

import (
	"bytes"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/swarmscript/swarmscript/internal/remote"
	"github.com/swarmscript/swarmscript/internal/resource"
	swarmkind "github.com/swarmscript/swarmscript/internal/swarm"
)

// LogOptions say which lines are wanted.
type LogOptions struct {
	Follow bool
	Since  string         // as docker takes it: a time, or how long ago ("10m")
	Tail   string         // the last lines of each task; "" for all
	Grep   *regexp.Regexp // only lines that match; nil for all
}

// Line is a line of a task's log.
type Line struct {
	Time    time.Time `json:"time"`
	Swarm   string    `json:"swarm,omitempty"`
	Service string    `json:"service"`
	Task    string    `json:"task"`
	Node    string    `json:"node"`
	Stream  string    `json:"stream"` // "stdout" or "stderr"
	Text    string    `json:"line"`
}

// Logs writes the lines of all tasks of services, those that come to be later
// too, in the order of their times as far as they arrive in it. It returns when
// all has been said or, where it follows, when ctx ends. A connection that
// breaks while it follows is made again, and no line is lost or told twice.
// note is told what a person should know.
func Logs(ctx context.Context, services []*Service, o LogOptions, emit func(Line), note func(string)) error {
	lines := make(chan Line)
	errs := make([]error, len(services))
	var wg sync.WaitGroup
	for i, s := range services {
		wg.Go(func() {
			r := &logReader{s: s, o: o, lines: lines, note: note, names: map[string]taskPlace{}}
			errs[i] = r.run(ctx)
		})
	}
	go func() {
		wg.Wait()
		close(lines)
	}()
	sortLines(lines, o.Follow, emit)
	return errors.Join(errs...)
}

// Lines of many nodes arrive in bunches. While all of a log is read they are
// sorted within the last [holdLines]; while it is followed each is held back
// for a moment, so that one which was written before it can catch up.
const (
	holdLines = 20000
	holdTime  = 200 * time.Millisecond
)

func sortLines(in <-chan Line, follow bool, emit func(Line)) {
	h := &lineHeap{}
	flush := func(until func(*held) bool) {
		for h.Len() > 0 && until(&h.list[0]) {
			emit(heap.Pop(h).(held).Line)
		}
	}
	var tick <-chan time.Time
	if follow {
		t := time.NewTicker(holdTime / 4)
		defer t.Stop()
		tick = t.C
	}
	for {
		select {
		case l, ok := <-in:
			if !ok {
				flush(func(*held) bool { return true })
				return
			}
			h.n++
			heap.Push(h, held{l, h.n, time.Now()})
			flush(func(*held) bool { return h.Len() > holdLines })
		case now := <-tick:
			flush(func(first *held) bool { return now.Sub(first.at) > holdTime })
		}
	}
}

type held struct {
	Line
	n  int // lines of one time stay in the order in which they came
	at time.Time
}

type lineHeap struct {
	list []held
	n    int
}

func (h *lineHeap) Len() int { return len(h.list) }
func (h *lineHeap) Less(i, j int) bool {
	if c := h.list[i].Time.Compare(h.list[j].Time); c != 0 {
		return c < 0
	}
	return h.list[i].n < h.list[j].n
}
func (h *lineHeap) Swap(i, j int) { h.list[i], h.list[j] = h.list[j], h.list[i] }
func (h *lineHeap) Push(x any)    { h.list = append(h.list, x.(held)) }
func (h *lineHeap) Pop() any {
	last := h.list[len(h.list)-1]
	h.list = h.list[:len(h.list)-1]
	return last
}

// logReader reads the log of one service.
type logReader struct {
	s     *Service
	o     LogOptions
	lines chan<- Line
	note  func(string)

	names map[string]taskPlace
	last  time.Time           // of the newest line
	seen  map[string]struct{} // lines of the last overlap, while it follows
	old   map[string]struct{} // those of the overlap before
	epoch time.Time
}

type taskPlace struct{ task, node string }

// overlap is how much of a log is read again after its connection broke: the
// clocks and pipes of nodes differ by less.
const overlap = 5 * time.Second

func (r *logReader) run(ctx context.Context) error {
	for pause := 500 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		begun := time.Now()
		err := r.read(ctx)
		switch {
		case ctx.Err() != nil && r.o.Follow:
			return nil // somebody has seen enough
		case ctx.Err() != nil:
			return ctx.Err()
		case remote.IsNotFound(err):
			if r.o.Follow {
				r.note(r.s.Spec.Name + " was removed")
				return nil
			}
			return fmt.Errorf("%s: %w", r.s.Spec.Name, remote.Err(err))
		case !r.o.Follow:
			return r.told(err)
		case err != nil && !again(err):
			return fmt.Errorf("%s: %w", r.s.Spec.Name, remote.Err(err))
		}
		if time.Since(begun) > 10*time.Second {
			pause = 500 * time.Millisecond
		}
		why := ""
		if err != nil {
			why = ": " + remote.Err(err).Error()
		}
		r.note(fmt.Sprintf("the log of %s broke off%s; it is read on", r.s.Spec.Name, why))
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil
		}
	}
}

// told passes on what the swarm says at the end of a log that it could not
// read all of, because a node is down.
func (r *logReader) told(err error) error {
	if err == nil {
		return nil
	}
	if text, ok := strings.CutPrefix(err.Error(), "error from daemon in stream: "); ok {
		text = strings.TrimPrefix(text, "Error grabbing logs: ")
		if _, desc, found := strings.Cut(text, " desc = "); found {
			text = desc
		}
		r.note(r.s.Spec.Name + ": " + strings.TrimSpace(text))
		return nil
	}
	return fmt.Errorf("%s: %w", r.s.Spec.Name, remote.Err(err))
}

// again reports whether what broke a log may go away.
func again(err error) bool {
	err = remote.Err(err)
	return errors.Is(err, resource.ErrUnreachable) || errors.Is(err, resource.ErrTransient) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || strings.HasPrefix(err.Error(), "error from daemon in stream: ")
}

// read reads until the stream ends.
func (r *logReader) read(ctx context.Context) error {
	o := container.LogsOptions{
		ShowStdout: true, ShowStderr: true, Timestamps: true, Details: true,
		Follow: r.o.Follow, Since: r.o.Since, Tail: r.o.Tail,
	}
	if !r.last.IsZero() {
		o.Since, o.Tail = r.last.Add(-overlap).UTC().Format(time.RFC3339Nano), ""
	}
	body, err := r.s.State.Swarm.Conn.Docker().ServiceLogs(ctx, r.s.ID, o)
	if err != nil {
		return err
	}
	defer body.Close()
	stop := context.AfterFunc(ctx, func() { body.Close() })
	defer stop()
	out := &lineWriter{stream: "stdout", line: r.line(ctx)}
	if c := r.s.Spec.TaskTemplate.ContainerSpec; c != nil && c.TTY {
		_, err = io.Copy(out, body)
		out.end()
		return err
	}
	errOut := &lineWriter{stream: "stderr", line: out.line}
	_, err = stdcopy.StdCopy(out, errOut, body)
	out.end()
	errOut.end()
	return err
}

// line takes in a raw line, unless it was told before or is not wanted.
func (r *logReader) line(ctx context.Context) func(stream string, raw []byte) {
	return func(stream string, raw []byte) {
		at, task, node, text := parseLine(raw)
		if r.o.Follow && r.repeated(at, raw) {
			return
		}
		if at.After(r.last) {
			r.last = at
		}
		if r.o.Grep != nil && !r.o.Grep.MatchString(text) {
			return
		}
		place := r.place(ctx, task, node)
		l := Line{
			Time: at, Swarm: r.s.State.Swarm.Address, Service: r.s.Spec.Name,
			Task: place.task, Node: place.node, Stream: stream, Text: text,
		}
		select {
		case r.lines <- l:
		case <-ctx.Done():
		}
	}
}

// repeated notes a line, and reports whether it was noted before. Two sets take
// turns, so that what is older than the overlap is forgotten.
func (r *logReader) repeated(at time.Time, raw []byte) bool {
	key := string(raw)
	if _, ok := r.seen[key]; ok {
		return true
	}
	if _, ok := r.old[key]; ok {
		return true
	}
	if r.seen == nil || at.Sub(r.epoch) > 2*overlap {
		r.old, r.seen, r.epoch = r.seen, map[string]struct{}{}, at
	}
	r.seen[key] = struct{}{}
	return false
}

// place names the task of a line. One that is new is asked for.
func (r *logReader) place(ctx context.Context, id, node string) taskPlace {
	if p, ok := r.names[id]; ok {
		return p
	}
	var task *swarm.Task
	for i := range r.s.Tasks {
		if r.s.Tasks[i].ID == id {
			task = &r.s.Tasks[i]
		}
	}
	if task == nil {
		if t, _, err := r.s.State.Swarm.Conn.Docker().TaskInspectWithRaw(ctx, id); err == nil {
			task = &t
		}
	}
	p := taskPlace{task: r.s.Spec.Name, node: r.s.State.Host(node)}
	if task != nil {
		p.task = swarmkind.TaskName(&r.s.Service, task, r.s.State.Host)
	}
	r.names[id] = p
	return p
}

// parseLine takes a line apart: its time, where it comes from, its text.
func parseLine(raw []byte) (at time.Time, task, node, text string) {
	stamp, rest, _ := bytes.Cut(raw, []byte(" "))
	at, err := time.Parse(time.RFC3339Nano, string(stamp))
	if err != nil {
		return time.Time{}, "", "", string(raw)
	}
	details, line, _ := bytes.Cut(rest, []byte(" "))
	for _, pair := range strings.Split(string(details), ",") {
		k, v, _ := strings.Cut(pair, "=")
		v, _ = url.QueryUnescape(v)
		switch k {
		case "com.docker.swarm.task.id":
			task = v
		case "com.docker.swarm.node.id":
			node = v
		}
	}
	return at, task, node, string(line)
}

// lineMax bounds a line that does not end.
const lineMax = 1 << 20

// lineWriter splits what is written to it into lines.
type lineWriter struct {
	stream string
	line   func(stream string, raw []byte)
	rest   []byte
}

// Write implements [io.Writer].
func (w *lineWriter) Write(p []byte) (int, error) {
	n := len(p)
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			break
		}
		w.line(w.stream, bytes.TrimSuffix(append(w.rest, p[:i]...), []byte("\r")))
		w.rest, p = nil, p[i+1:]
	}
	if w.rest = append(w.rest, p...); len(w.rest) > lineMax {
		w.end()
	}
	return n, nil
}

// end tells a last line that has no end.
func (w *lineWriter) end() {
	if len(w.rest) > 0 {
		w.line(w.stream, w.rest)
		w.rest = nil
	}
}
