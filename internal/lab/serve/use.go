package serve

import (
	"sync"
	"time"
)

// use knows whether anybody uses the lab: a request to the control API, or an open
// connection to one of its hosts.
type use struct {
	limit func() time.Duration
	end   func()

	mu    sync.Mutex
	now   int // how many use it
	last  time.Time
	timer *time.Timer
}

// newUse calls end once nobody has used the lab for as long as limit says, which is
// asked again now and then: it depends on what is in the lab.
func newUse(most time.Duration, limit func() time.Duration, end func()) *use {
	u := &use{limit: limit, end: end, last: time.Now()}
	u.timer = time.AfterFunc(min(most, emptyIdle), u.look)
	return u
}

// begin says that somebody uses the lab, until what it returns is called.
func (u *use) begin() (done func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.now++
	return sync.OnceFunc(func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.now--
		u.last = time.Now()
		u.timer.Reset(0) // it looks how long that may be
	})
}

func (u *use) look() {
	limit := u.limit()
	u.mu.Lock()
	left := limit - time.Since(u.last)
	switch {
	case u.now > 0:
		left = limit
	case left <= 0:
		u.mu.Unlock()
		u.end()
		return
	}
	u.timer.Reset(max(left, time.Millisecond))
	u.mu.Unlock()
}

func (u *use) stop() { u.timer.Stop() }
