package apply

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// turns bounds the steps that write at once. Those that had their turn, gave it
// up to wait, and want to go on come before those that have not begun.
type turns struct {
	mu       sync.Mutex
	left     int
	begun    []chan struct{} // closed when it is their turn
	notBegun []chan struct{}
}

func newTurns(limit int) *turns { return &turns{left: limit} }

// ask returns what is closed when it is the asker's turn.
func (t *turns) ask(again bool) chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	ready := make(chan struct{})
	if again {
		t.begun = append(t.begun, ready)
	} else {
		t.notBegun = append(t.notBegun, ready)
	}
	t.hand()
	return ready
}

// hand gives turns to those who wait, as long as there are any.
func (t *turns) hand() {
	for t.left > 0 && len(t.begun)+len(t.notBegun) > 0 {
		from := &t.notBegun
		if len(t.begun) > 0 {
			from = &t.begun
		}
		close((*from)[0])
		*from = (*from)[1:]
		t.left--
	}
}

// giveBack ends a turn, or the waiting for one.
func (t *turns) giveBack(ready chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if closed(ready) {
		t.left++
		t.hand()
		return
	}
	is := func(c chan struct{}) bool { return c == ready }
	t.begun, t.notBegun = slices.DeleteFunc(t.begun, is), slices.DeleteFunc(t.notBegun, is)
}

// turn is a step's. A step that only waits gives it up.
type turn struct {
	of   *turns
	stop <-chan struct{}
	held chan struct{} // nil where it is not
	had  bool
}

// ErrStopped says that the run was stopped before a step had its turn, or while
// it waited for a lease.
var ErrStopped = errors.New("stopped before it began")

// take waits for the step's turn. Once the run is stopped there are no more:
// of a turn and a stop at the same moment, the stop counts.
func (t *turn) take(ctx context.Context) error {
	if t.held != nil {
		return nil
	}
	t.held = t.of.ask(t.had)
	select {
	case <-t.held:
	case <-t.stop:
	case <-ctx.Done():
	}
	if closed(t.stop) || ctx.Err() != nil {
		t.free()
		return ErrStopped
	}
	t.had = true
	return nil
}

func (t *turn) free() {
	if t.held != nil {
		t.of.giveBack(t.held)
		t.held = nil
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
