package ui

import (
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/swarmscript/swarmscript/internal/apply"
	"github.com/swarmscript/swarmscript/internal/plan"
	"github.com/swarmscript/swarmscript/internal/value"
)

// redrawEvery is how often the tree is drawn: often enough for a clock that
// shows tenths, seldom enough for a slow line.
const redrawEvery = 100 * time.Millisecond

// tree draws what runs, one line for each step, at the end of the terminal.
// What has ended is written once above it and scrolls away as any other
// output does.
//
// A frame is one write. Nothing that outlasts a frame is switched on - the
// cursor is hidden and lines are kept from wrapping only while it is drawn -
// so that a program that is killed in between leaves a terminal that works.
type tree struct {
	term  Terminal
	now   func() time.Time
	words *words

	mu      sync.Mutex
	running []*running            // in the order of their beginnings
	steps   map[step]*running     // the same
	at      map[value.Address]int // how many of an address
	ended   []string              // lines to write above at the next frame
	waiting map[value.Address]int // steps that have not begun
	left    int                   // their sum
	column  int                   // where states begin
	drawn   []int                 // widths of the lines on the screen
	closed  bool

	stop chan struct{}
	done chan struct{}
}

type running struct {
	step
	began time.Time
	state string
	over  bool   // it has ended, and the next frame leaves it out
	text  string // what it waits for
	count string // "4/6"
}

// The columns of the states and of the clock, in a wide window and in one of
// customary size; in a narrow one the clock has what it needs and no more.
const (
	wideWindow, wideState         = 110, 26
	stateWidth, tookWidth         = 21, 10
	narrowWindow, narrowTookWidth = 60, 7
)

func newTree(t Terminal, p *plan.Plan, now func() time.Time) *tree {
	tr := &tree{term: t, now: now, words: newWords(p), waiting: map[value.Address]int{},
		steps: map[step]*running{}, at: map[value.Address]int{}, stop: make(chan struct{}), done: make(chan struct{})}
	if p != nil {
		for _, c := range p.Changes {
			if shown(c) {
				tr.waiting[c.Address]++
				tr.left++
				tr.column = max(tr.column, textWidth(tr.words.names.Of(c.Address)))
			}
		}
	}
	go tr.run()
	return tr
}

func (t *tree) run() {
	defer close(t.done)
	tick := time.NewTicker(redrawEvery)
	defer tick.Stop()
	for {
		select {
		case <-t.stop:
			return
		case <-tick.C:
			t.mu.Lock()
			t.draw()
			t.mu.Unlock()
		}
	}
}

// Close draws for the last time: what has ended stays, what still ran is
// gone.
func (t *tree) Close() {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return
	}
	t.closed = true
	t.mu.Unlock()
	close(t.stop)
	<-t.done
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running, t.left = nil, 0
	t.draw()
}

func (t *tree) Event(e apply.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	if e.Address == "" {
		t.ended = append(t.ended, "  "+clean(e.Text))
		return
	}
	r := t.find(e)
	switch e.Type {
	case apply.Started, apply.Progressed, apply.Retried:
		if r == nil {
			r = &running{step: stepOf(e), began: t.now().Add(-e.Elapsed), state: t.words.doing(e)}
			t.running = append(t.running, r)
			t.steps[r.step] = r
			t.at[r.address]++
			t.begun(e)
		}
		switch {
		case e.Type == apply.Retried:
			r.state, r.text = "trying again", clean(e.Text)
		case e.Type == apply.Progressed:
			r.state, r.text = t.words.doing(e), clean(said(e))
			r.count = tasks(e, "")
		case e.Text != "":
			r.text = clean(e.Text)
		}
	default:
		t.drop(r)
		if r == nil {
			t.begun(e)
		}
		t.ended = append(t.ended, t.endLine(e))
	}
}

// find returns the running step that an event is about, or nil. Ten thousand
// services may be waited for at once: only what the maps do not know is
// searched for.
func (t *tree) find(e apply.Event) *running {
	if r := t.steps[stepOf(e)]; r != nil {
		return r
	}
	if t.at[e.Address] == 0 {
		return nil
	}
	// The action may have become another one when it was compared again; then
	// it is the one step of that address that is not an old version's end.
	for _, r := range t.running {
		if r.address == e.Address && !r.action.Drops() && !r.over {
			return r
		}
	}
	return nil
}

// begun counts a step as no longer waiting. The two halves of a replacement
// are one.
func (t *tree) begun(e apply.Event) {
	if n := t.waiting[e.Address]; n > 0 {
		t.waiting[e.Address]--
		t.left--
	}
}

func (t *tree) drop(r *running) {
	if r != nil {
		r.over = true
		delete(t.steps, r.step)
		t.at[r.address]--
	}
}

// endLine is the line that stays of a step. Its address and its reason are
// whole, because the line stays: the terminal may wrap it.
func (t *tree) endLine(e apply.Event) string {
	width, _ := t.term.Size()
	color, state, text := green, "", ""
	switch e.Type {
	case apply.Finished:
		state = t.words.done(e)
	case apply.Failed:
		color, state, text = red, "failed", firstLine(e.Err)
	default:
		color, state, text = yellow, "skipped", clean(e.Text)
	}
	b := appendPadded([]byte("  "), t.words.names.Of(e.Address), t.columnIn(width))
	b = append(append(b, "  "...), t.colored(color, state)...)
	if e.Elapsed > 0 {
		clock := seconds(e.Elapsed)
		stateRoom, tookRoom := rooms(width, clock)
		b = appendSpaces(b, stateRoom-textWidth(state))
		b = append(appendSpaces(b, max(tookRoom-len(clock), 2)), clock...)
	}
	if text != "" {
		b = append(append(b, "   "...), text...)
	}
	return string(b)
}

// rooms are the columns of a line's state and clock.
func rooms(width int, clock string) (state, took int) {
	state, took = stateWidth, tookWidth
	if width >= wideWindow {
		state = wideState
	}
	if width < narrowWindow {
		state, took = 0, narrowTookWidth
	}
	return state, max(took, len(clock)+1)
}

// columnIn is the width of the addresses' column in a window.
func (t *tree) columnIn(width int) int { return min(t.column, maxColumn, max(width*2/5, 10)) }

// address begins a line.
func (t *tree) address(width int, name string) []byte {
	column := t.columnIn(width)
	return appendPadded([]byte("  "), cut(name, column), column+2)
}

// A row is a line of the tree behind its address.
type row struct{ state, clock, text string }

// layout finds the columns of the states and the clocks. Where a text is cut,
// it gets what no row with a text needs of the other two: it is what a person
// looks for.
func layout(rows []row, width, room int) (stateRoom, tookRoom int) {
	state, clock, text := 0, 0, 0
	for _, r := range rows {
		clock, text = max(clock, len(r.clock)), max(text, textWidth(r.text))
		if r.text != "" {
			state = max(state, textWidth(r.state))
		}
	}
	stateRoom, tookRoom = stateWidth, tookWidth
	if width >= wideWindow {
		stateRoom = wideState
	}
	if width < narrowWindow {
		stateRoom, tookRoom = 0, narrowTookWidth
	}
	tookRoom = max(tookRoom, clock+1)
	if stateRoom == 0 || stateRoom+tookRoom > room {
		stateRoom = max(room-tookRoom, 8)
	}
	if short := text + 3 - (room - stateRoom - tookRoom); text > 0 && short > 0 && width >= narrowWindow {
		give := min(short, max(stateRoom-state, 0))
		stateRoom -= give
		tookRoom -= min(short-give, max(tookRoom-clock-2, 0))
	}
	return stateRoom, tookRoom
}

// rest ends a line of the tree: the state, how long, and where there is room,
// what it waits for.
func rest(b []byte, r row, room, stateRoom, tookRoom int) []byte {
	if r.text == "" { // it may reach into the text's column
		stateRoom = max(stateRoom, min(textWidth(r.state), room-tookRoom))
	}
	b = appendPadded(b, cut(r.state, stateRoom), stateRoom)
	b = append(appendSpaces(b, tookRoom-len(r.clock)), r.clock...)
	if left := room - stateRoom - tookRoom - 3; r.text != "" && left >= 8 {
		b = append(append(b, "   "...), cut(r.text, left)...)
	}
	return b
}

func (t *tree) colored(color, s string) string {
	if !t.term.Color || color == plain {
		return s
	}
	return color + s + reset
}

// The frame's controls. Synchronised output keeps terminals that know it from
// showing half a frame; the others ignore it.
const (
	frameBegin = "\x1b[?2026h\x1b[?25l\x1b[?7l"
	frameEnd   = "\x1b[?7h\x1b[?25h\x1b[?2026l"
	clearLine  = "\x1b[K"
	clearBelow = "\x1b[J"
)

// draw writes one frame: the cursor goes up to where the tree began, ended
// lines are written, then the tree anew. t.mu is held.
func (t *tree) draw() {
	t.running = slices.DeleteFunc(t.running, func(r *running) bool { return r.over })
	if len(t.ended) == 0 && len(t.running) == 0 && len(t.drawn) == 0 {
		return
	}
	width, height := t.term.Size()
	b := append([]byte(nil), frameBegin...)
	b = append(b, '\r')
	if up := t.rows(width); up > 0 {
		b = append(append(append(b, "\x1b["...), strconv.Itoa(up)...), 'A')
	}
	if len(t.ended) > 0 {
		b = append(b, clearBelow+"\x1b[?7h"...) // what stays may wrap: nothing of it is lost
		for _, l := range t.ended {
			b = append(append(b, l...), "\r\n"...)
		}
		b = append(b, "\x1b[?7l"...)
	}
	t.ended, t.drawn = nil, t.drawn[:0]
	for _, l := range t.live(width, height) {
		b = append(append(b, l...), clearLine+"\r\n"...)
		t.drawn = append(t.drawn, textWidth(stripEscapes(l)))
	}
	b = append(b, clearBelow+frameEnd...)
	t.term.Out.Write(b) // a terminal that is gone cannot be told so
}

// rows is how many rows the tree takes now. Terminals that were made narrower
// since have wrapped its lines.
func (t *tree) rows(width int) int {
	n := 0
	for _, w := range t.drawn {
		n += 1 + max(w-1, 0)/max(width, 1)
	}
	return n
}

// live returns the lines of the tree, no more than fit on the screen.
func (t *tree) live(width, height int) []string {
	most := max(height-2, 1)
	shown := t.running
	if len(shown) > most-1 {
		shown = shown[:max(most-1, 0)]
	}
	var lines []string
	now := t.now()
	rows := make([]row, len(shown))
	for i, r := range shown {
		state, text := r.state, r.text
		if r.count != "" {
			state += " " + r.count
		} else if text != "" && textWidth(state)+2+textWidth(text) <= wideState {
			state, text = state+": "+text, ""
		}
		rows[i] = row{state, seconds(now.Sub(r.began)), text}
	}
	room := width - 1 - (t.columnIn(width) + 4)
	stateRoom, tookRoom := layout(rows, width, room)
	for i, r := range shown {
		lines = append(lines, string(rest(t.address(width, t.words.names.Of(r.address)), rows[i], room, stateRoom, tookRoom)))
	}
	more := ""
	if n := len(t.running) - len(shown); n > 0 {
		more = strconv.Itoa(n) + " more running"
	}
	if t.left > 0 {
		if more != "" {
			more += ", "
		}
		more += strconv.Itoa(t.left) + " waiting"
	}
	if more != "" {
		lines = append(lines, t.colored(dim, cut("  ... "+more, max(width-1, 1))))
	}
	return lines
}
