package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// interrupt turns signals into the two ways to stop. While an apply runs, the
// first closes its Stop channel, so that running steps end; the second cancels
// everything. Otherwise the first cancels. After the second, signals do what
// they do by default, for a program that does not react any more. In a session
// an interrupt cancels no more than what is being evaluated.
type interrupt struct {
	ctx    context.Context
	cancel context.CancelFunc
	w      io.Writer

	mu      sync.Mutex
	first   bool
	stop    chan struct{}    // of a running apply
	say     func(msg string) // of a running apply
	signals chan os.Signal

	session    bool // at a prompt
	evaluating context.CancelFunc
}

func watchSignals(w io.Writer) *interrupt {
	i := &interrupt{w: w, signals: make(chan os.Signal, 2)}
	i.ctx, i.cancel = context.WithCancel(context.Background())
	signal.Notify(i.signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for sig := range i.signals {
			i.one(sig)
		}
	}()
	return i
}

func (i *interrupt) one(sig os.Signal) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.first && i.stop != nil {
		i.first = true
		close(i.stop)
		i.say("interrupted: running steps are finished, no new ones are begun; interrupt again to abort them")
		return
	}
	if i.first && (i.stop != nil || !i.session) {
		i.report("aborted: what was being changed may be half done; run it again to go on")
	}
	i.first = true
	if i.session && sig == os.Interrupt {
		i.evaluating()
		return
	}
	i.cancel()
	signal.Stop(i.signals)
}

// evaluation is for a session at a prompt: from its first call on, an interrupt
// cancels no more than the evaluation that runs, if any.
func (i *interrupt) evaluation() (ctx context.Context, end func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.session = true
	ctx, i.evaluating = context.WithCancel(i.ctx)
	return ctx, func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.evaluating()
		i.first = false
	}
}

func (i *interrupt) report(msg string) {
	if i.say != nil {
		i.say(msg)
		return
	}
	fmt.Fprintln(i.w, msg)
}

// during hands out the Stop channel of an apply; say shows a message among its
// progress. The returned function ends it.
func (i *interrupt) during(say func(string)) (stop <-chan struct{}, end func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.stop, i.say = make(chan struct{}), say
	return i.stop, func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.stop, i.say = nil, nil
	}
}

// begun reports whether there was a signal.
func (i *interrupt) begun() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.first
}

func (i *interrupt) close() {
	signal.Stop(i.signals)
	i.cancel()
}
