package testengine

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"
)

// A Call is a request that a [FaultProxy] saw. Its path has no query and no version: "/services/create".
type Call struct {
	Method, Path string
}

// Write tells whether the call may change something.
func (c Call) Write() bool { return c.Method != http.MethodGet && c.Method != http.MethodHead }

// A Fault is what happens to a call.
type Fault int

const (
	Pass     Fault = iota
	Cut            // the connection drops; the engine never sees the call
	LoseBack       // the engine does it, and the connection drops instead of the answer
)

// A FaultProxy stands between a client and an engine: it counts calls, and makes them fail when told to. All its methods
// may be used while calls are under way.
type FaultProxy struct {
	Host string // "unix:///...", as in DOCKER_HOST

	tb        testing.TB
	socket    string
	transport *http.Transport
	handler   *httputil.ReverseProxy

	mu     sync.Mutex
	server *http.Server // nil while it refuses connections
	calls  []Call
	delay  time.Duration
	fault  func(Call) Fault
}

// Proxy starts a proxy of an engine, which ends with the test.
func Proxy(tb testing.TB, e *Engine) *FaultProxy {
	tb.Helper()
	// tb.TempDir holds the test's name, which makes it too long for a socket.
	dir, err := os.MkdirTemp("", "proxy")
	if err != nil {
		tb.Fatal(err)
	}
	p := &FaultProxy{tb: tb, socket: filepath.Join(dir, "docker.sock")}
	p.Host = "unix://" + p.socket
	engine := e.slot.file("docker.sock")
	p.transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", engine)
	}}
	p.handler = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", "engine"
			r.Out.Host = r.In.Host
		},
		Transport:     p.transport,
		FlushInterval: -1, // events and logs are streams
		// The client sees what it would see of the engine: a connection that ends.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ErrorLog:     log.New(io.Discard, "", 0),
	}
	p.Refuse(false)
	tb.Cleanup(func() {
		p.Refuse(true)
		p.transport.CloseIdleConnections()
		os.RemoveAll(dir)
	})
	return p
}

var versionPrefix = regexp.MustCompile(`^/v1\.[0-9]+/`)

func (p *FaultProxy) serve(w http.ResponseWriter, r *http.Request) {
	call := Call{r.Method, versionPrefix.ReplaceAllString(r.URL.Path, "/")}
	p.mu.Lock()
	p.calls = append(p.calls, call)
	delay, fault := p.delay, Pass
	if p.fault != nil {
		fault = p.fault(call)
	}
	p.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-r.Context().Done():
		return
	}
	switch fault {
	case Pass:
		p.handler.ServeHTTP(w, r)
	case LoseBack:
		p.handler.ServeHTTP(&lost{header: http.Header{}}, r)
		fallthrough
	case Cut:
		panic(http.ErrAbortHandler)
	}
}

// lost is an answer that nobody gets.
type lost struct{ header http.Header }

func (l *lost) Header() http.Header         { return l.header }
func (l *lost) Write(b []byte) (int, error) { return len(b), nil }
func (l *lost) WriteHeader(int)             {}

// Calls are those seen since the start or the last Reset, in the order of their arrival.
func (p *FaultProxy) Calls() []Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Call(nil), p.calls...)
}

// Count is the number of calls with a method ("" is any) and a path as in [path.Match]: "/services/*/update".
func (p *FaultProxy) Count(method, pattern string) int {
	p.tb.Helper()
	n := 0
	for _, c := range p.Calls() {
		match, err := path.Match(pattern, c.Path)
		if err != nil {
			p.tb.Fatal(err)
		}
		if match && (method == "" || method == c.Method) {
			n++
		}
	}
	return n
}

// Reads is the number of calls that change nothing, Writes of the others.
func (p *FaultProxy) Reads() int { return len(p.Calls()) - p.Writes() }

// Writes is the number of calls that may change something.
func (p *FaultProxy) Writes() int {
	n := 0
	for _, c := range p.Calls() {
		if c.Write() {
			n++
		}
	}
	return n
}

// Reset forgets the calls and takes back delays and faults.
func (p *FaultProxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls, p.delay, p.fault = nil, 0, nil
}

// Delay makes every call wait before it is forwarded.
func (p *FaultProxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Fault asks a function for each call what happens to it. It is called by one call at a time.
func (p *FaultProxy) Fault(fault func(Call) Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = fault
}

// DropAfter lets n writes pass. Of the next one the answer is lost, and every later call, reads too, is cut.
func (p *FaultProxy) DropAfter(n int) {
	p.Fault(func(c Call) Fault {
		if n < 0 {
			return Cut
		}
		if !c.Write() {
			return Pass
		}
		if n--; n < 0 {
			return LoseBack
		}
		return Pass
	})
}

// Refuse closes the door: open connections end, new ones are refused as by an engine that is down. Refuse(false) opens it.
func (p *FaultProxy) Refuse(refuse bool) {
	p.tb.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if refuse {
		if p.server != nil {
			p.server.Close()
			p.server = nil
		}
		return
	}
	if p.server != nil {
		return
	}
	os.Remove(p.socket)
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: p.socket, Net: "unix"})
	if err != nil {
		p.tb.Fatal(err)
	}
	// A socket file without a listener refuses; without the file the error would be another one.
	listener.SetUnlinkOnClose(false)
	server := &http.Server{Handler: http.HandlerFunc(p.serve), ErrorLog: log.New(io.Discard, "", 0)}
	p.server = server
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			p.tb.Error("proxy:", err)
		}
	}()
}
