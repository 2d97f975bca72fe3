package build

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	units "github.com/docker/go-units"

	"github.com/swarmscript/swarmscript/internal/pattern"
	"github.com/swarmscript/swarmscript/internal/remote"
)

// message is a line of what an engine says while it builds.
type message struct {
	Stream string          `json:"stream"` // of the classic builder
	Error  string          `json:"error"`
	ID     string          `json:"id"`
	Aux    json.RawMessage `json:"aux"`
}

// follow reads what an engine says until its end, and returns the image's ID.
func follow(r io.Reader, t *trace) (id string, err error) {
	for in := json.NewDecoder(r); ; {
		var m message
		if err := in.Decode(&m); err == io.EOF {
			break
		} else if err != nil {
			return "", remote.Err(err)
		}
		switch {
		case m.Error != "":
			return "", t.failed(m.Error)
		case m.ID == "moby.buildkit.trace":
			t.add(m.Aux)
		case m.Aux != nil:
			var made struct{ ID string }
			if json.Unmarshal(m.Aux, &made) == nil && made.ID != "" {
				id = made.ID
			}
		case m.Stream != "":
			t.stream(m.Stream)
		}
	}
	if id == "" {
		return "", errors.New("the engine ended the build without an image")
	}
	return id, nil
}

// trace is what has been told of a build so far.
type trace struct {
	o     *Options
	order []*step
	steps map[string]*step // by the digests of BuildKit's vertices
	last  Progress
	told  time.Time
}

// step is one instruction.
type step struct {
	name          string
	started, done bool
	failed        bool
	log           tail
	detail        string
}

func newTrace(o *Options) *trace { return &trace{o: o, steps: map[string]*step{}} }

// add takes in what BuildKit tells. What cannot be read is not told.
func (t *trace) add(aux json.RawMessage) {
	var raw []byte
	if json.Unmarshal(aux, &raw) != nil {
		return
	}
	r, err := readStatus(raw)
	if err != nil {
		return
	}
	for _, v := range r.vertexes {
		s := t.step(v.digest)
		s.name = v.name
		s.started, s.done, s.failed = v.started, v.completed, v.failed
	}
	for _, a := range r.amounts {
		s := t.step(a.vertex)
		s.detail = ""
		if !a.completed && a.current > 0 {
			s.detail = units.HumanSize(float64(a.current))
		}
	}
	for _, l := range r.logs {
		t.step(l.vertex).log.add(string(l.text))
	}
	t.tell()
}

func (t *trace) step(digest string) *step {
	s := t.steps[digest]
	if s == nil {
		s = &step{log: tail{hide: t.o.hide}}
		t.steps[digest] = s
		t.order = append(t.order, s)
	}
	return s
}

// stream takes in what the classic builder writes: "Step 1/3 : FROM base" begins
// an instruction, the rest is its output.
func (t *trace) stream(text string) {
	if n := len(t.order); strings.HasPrefix(text, "Step ") {
		var number, total int
		if _, err := fmt.Sscanf(text, "Step %d/%d", &number, &total); err == nil && total > 0 && total < 10000 {
			_, name, _ := strings.Cut(text, " : ")
			if n > 0 {
				t.order[n-1].done = true
			}
			s := t.step(fmt.Sprint(number))
			s.name, s.started = fmt.Sprintf("[%d/%d] %s", number, total, strings.TrimSpace(name)), true
			t.tell()
			return
		}
	}
	if n := len(t.order); n > 0 {
		t.order[n-1].log.add(text)
	}
}

// tellEvery bounds how often the same step is told again.
const tellEvery = time.Second

// tell says how far it is, where that is news.
func (t *trace) tell() {
	now := Progress{Total: len(t.order)}
	for _, s := range t.order {
		switch {
		case s.done:
			now.Done++
		case s.started:
			now.Text = strings.TrimSpace(s.name + " " + s.detail)
		}
	}
	now.Text = strings.ReplaceAll(clean(t.o.hide(now.Text)), "\r", "")
	if now.Text == "" || now == t.last || now.Done == t.last.Done && time.Since(t.told) < tellEvery && t.last.Text != "" {
		return
	}
	t.last, t.told = now, time.Now()
	t.o.Progress(now)
}

// failed says which step failed, with the last lines that it wrote.
func (t *trace) failed(why string) error {
	why = strings.TrimPrefix(why, "failed to solve: ")
	var at *step
	for _, s := range t.order {
		if s.failed || s.started && !s.done && (at == nil || !at.failed) {
			at = s // the classic builder names none: it is the one that was on
		}
	}
	text := strings.Join(linesOf(why), "\n")
	if at != nil && at.name != "" && !strings.Contains(why, at.name) {
		text = fmt.Sprintf("%s: %s", clean(at.name), text)
	}
	if at != nil {
		if lines := at.log.lines(); len(lines) > 0 {
			text += "\nits last lines:\n  " + strings.Join(lines, "\n  ")
		}
	}
	return remote.Err(errors.New(t.o.hide(strings.TrimSpace(text))))
}

// tail keeps the end of what a step writes.
type tail struct {
	text []byte
	hide func(string) string // takes secrets out, before any is cut in half
}

// What is kept of a step's output: enough to see why it failed.
const (
	tailBytes = 8 << 10
	tailLines = 15
)

func (t *tail) add(s string) {
	if t.text = append(t.text, s...); len(t.text) > 2*tailBytes {
		text := t.hide(string(t.text))
		t.text = append(t.text[:0], text[max(0, len(text)-tailBytes):]...)
	}
}

func (t *tail) lines() []string {
	out := linesOf(string(t.text))
	return out[max(0, len(out)-tailLines):]
}

// linesOf is what stands on a terminal in the end, without the classic builder's
// own words.
func linesOf(text string) []string {
	var out []string
	for _, l := range strings.Split(strings.ToValidUTF8(text, "?"), "\n") {
		l = strings.TrimRight(clean(l), " \r\t")
		// A progress bar writes one line over and over.
		if l = l[strings.LastIndexByte(l, '\r')+1:]; l != "" && !chatter().MatchString(l) {
			out = append(out, l)
		}
	}
	return out
}

var (
	// steering is what colours a terminal, or moves on it.
	steering = pattern.Of(`\x1b(\[[0-9;?]*[ -/]*[@-~]|[@-Z\\-_])?`)
	// chatter is what the classic builder says of its own doing.
	chatter = pattern.Of(`^( ---> .*|Remov(ed|ing) intermediate container [0-9a-f]+)$`)
)

// clean takes out what would steer a terminal, but for the return to a line's
// beginning.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\r' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, steering().ReplaceAllString(s, ""))
}
