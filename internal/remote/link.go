package remote

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// timing is how long things may take. Tests have other values.
type timing struct {
	// keepalive is the pause between questions whether the other side is
	// there, and patience how long an answer may take: a host that is gone is
	// noticed within their sum.
	keepalive, patience time.Duration
	// hello is for the server's banner, the exchange of keys and the login;
	// what a person is asked meanwhile does not count.
	hello time.Duration
	// pauses are those between dials of a host that had answered before, or
	// that hung up on us: it may be restarting, or drop logins that come in
	// numbers (MaxStartups).
	pauses []time.Duration
	// lastWord is how long a command that is to end is waited for.
	lastWord time.Duration
	// stage is how long each stage of [WaitReady] may take; 0: its own limit.
	stage time.Duration
}

var usual = timing{keepalive: 5 * time.Second, patience: 10 * time.Second, hello: 20 * time.Second, lastWord: 3 * time.Second,
	pauses: []time.Duration{200 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}}

// errGone is a host that stopped answering.
var errGone = errors.New("it stopped answering")

// link is one login: a TCP connection, or a channel through jump hosts, with
// SSH on top.
type link struct {
	client   *ssh.Client
	conn     *greeting // what it goes over
	user     string    // who is logged in
	hops     []*link   // the jump hosts in front of it, which end with it
	sessions *slots

	done chan struct{} // closed when the connection ended
	ran  atomic.Bool   // a command was run

	mu      sync.Mutex
	why     error // why it ended; the first reason counts
	using   int   // channels that are open
	retired bool  // ends with its last channel
}

// newLink takes over a client that is logged in.
func newLink(c *ssh.Client, conn *greeting, hops []*link, sessions *slots, t timing) *link {
	l := &link{client: c, conn: conn, user: c.User(), hops: hops, sessions: sessions, done: make(chan struct{})}
	go func() {
		err := c.Wait()
		l.because(err)
		for _, h := range hops {
			h.close(err)
		}
		close(l.done)
	}()
	go l.keepalive(t)
	return l
}

// because notes why the link ends. The first reason counts.
func (l *link) because(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.why == nil {
		l.why = err
	}
}

// close ends the link for a reason, and waits until it ended.
func (l *link) close(why error) error {
	l.because(why)
	err := l.client.Close()
	<-l.done
	if errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) {
		return nil // it had ended by itself
	}
	return err
}

func (l *link) ended() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// cause says why the link ended; nil while it is up.
func (l *link) cause() error {
	if !l.ended() {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.why
}

// use counts a channel; false: the link is not for new ones.
func (l *link) use() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.retired {
		return false
	}
	l.using++
	return true
}

// unuse counts a channel that ended.
func (l *link) unuse() {
	l.mu.Lock()
	l.using--
	over := l.retired && l.using == 0
	l.mu.Unlock()
	if over {
		l.close(errClosed)
	}
}

// retire ends the link with its last channel.
func (l *link) retire() {
	l.mu.Lock()
	l.retired = true
	over := l.using == 0
	l.mu.Unlock()
	if over {
		l.close(errClosed)
	}
}

// keepalive asks now and then whether the other side is there, and ends the
// link when it is not: TCP itself would wait for minutes.
func (l *link) keepalive(t timing) {
	tick := time.NewTicker(t.keepalive)
	defer tick.Stop()
	for {
		select {
		case <-l.done:
			return
		case <-tick.C:
		}
		late := time.AfterFunc(t.patience, func() {
			l.because(errGone)
			l.client.Close()
		})
		// Whatever it answers is an answer.
		_, _, err := l.client.SendRequest("keepalive@openssh.com", true, nil)
		late.Stop()
		if err != nil {
			return
		}
	}
}

// open opens a channel. It gives up with ctx; a channel that is opened
// nevertheless is closed then.
func (l *link) open(ctx context.Context, kind string, payload []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	type opened struct {
		ch   ssh.Channel
		reqs <-chan *ssh.Request
		err  error
	}
	answer := make(chan opened, 1)
	go func() { // ends with the link at the latest
		ch, reqs, err := l.client.OpenChannel(kind, payload)
		answer <- opened{ch, reqs, err}
	}()
	select {
	case o := <-answer:
		return o.ch, o.reqs, o.err
	case <-ctx.Done():
		go func() {
			if o := <-answer; o.err == nil {
				go ssh.DiscardRequests(o.reqs)
				o.ch.Close()
			}
		}()
		return nil, nil, context.Cause(ctx)
	}
}

// hurry runs a command that does nothing, if none was run yet. sshd sets
// TCP_NODELAY when it runs a session's first command, not before: on a login
// that only forwards, the end of a large answer waits until our side
// acknowledged its beginning, which takes Linux 40 ms. A list of 44 KB took 26
// ms instead of 2 so.
func (l *link) hurry() {
	if l.ran.Swap(true) || !l.sessions.try() {
		return
	}
	go func() { // ends with the link at the latest
		defer l.sessions.release()
		ch, reqs, err := l.client.OpenChannel("session", nil)
		if err != nil {
			return // others have all that the server gives; they run commands
		}
		ch.SendRequest("exec", false, ssh.Marshal(&struct{ Command string }{":"}))
		ch.CloseWrite()
		ssh.DiscardRequests(reqs) // until the command has ended
		ch.Close()
	}()
}

// alive asks the other side whether it is there: the end of a channel looks the
// same whether the other side ended it or the connection broke.
func (l *link) alive() bool {
	_, _, err := l.client.SendRequest("keepalive@openssh.com", true, nil)
	return err == nil
}

// greeting is the connection that SSH goes over. It remembers whether the other
// side said anything, and whether it broke.
type greeting struct {
	net.Conn
	said, broke atomic.Bool
}

// Read implements [net.Conn].
func (g *greeting) Read(b []byte) (int, error) {
	n, err := g.Conn.Read(b)
	if n > 0 {
		g.said.Store(true)
	}
	if err != nil {
		g.broke.Store(true)
	}
	return n, err
}
