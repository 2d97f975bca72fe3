package world

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"

	"github.com/swarmscript/swarmscript/internal/lab/api"
	"github.com/swarmscript/swarmscript/internal/lab/debian"
)

// lines are the listeners and connections of a host that is on.
type lines struct {
	host *Host
	ssh  string // where its SSH server really listens

	mu     sync.Mutex
	closed bool
	all    map[io.Closer]struct{}
	ports  map[int]net.Addr // where published ports really listen
	engine string           // as DOCKER_HOST; "" where nobody asked for it
	wg     sync.WaitGroup
}

// connect makes the host listen for SSH.
func (h *Host) connect() error {
	l := &lines{host: h, all: map[io.Closer]struct{}{}, ports: map[int]net.Addr{}}
	ln, err := listenTCP(h.rec.Address, cmp.Or(h.record().Port, 22), 22, 0)
	if err != nil {
		return err
	}
	l.ssh = ln.Addr().String()
	l.serve(ln, guarded(sshPort, h.body.Filter, h.body.SSH))
	h.mu.Lock()
	h.lines = l
	h.mu.Unlock()
	if err := h.set(func(r *record) { r.Port = ln.Addr().(*net.TCPAddr).Port }); err != nil {
		return err
	}
	if h.record().Socket {
		if _, err := h.Engine(); err != nil {
			h.note("its engine cannot be reached without SSH: " + err.Error())
		}
	}
	return nil
}

// disconnect closes all of them. What it returns waits until nobody uses one.
func (h *Host) disconnect() (wait func()) {
	h.mu.Lock()
	l := h.lines
	h.lines = nil
	h.mu.Unlock()
	if l == nil {
		return func() {}
	}
	l.mu.Lock()
	l.closed = true
	var all []io.Closer
	for c := range l.all {
		all = append(all, c)
	}
	l.mu.Unlock()
	for _, c := range all {
		c.Close()
	}
	return l.wg.Wait
}

// serve answers each connection of a listener until it is closed.
func (l *lines) serve(ln net.Listener, answer func(net.Conn)) {
	if !l.keep(ln) {
		ln.Close()
		return
	}
	l.wg.Go(func() {
		defer l.forget(ln)
		for {
			c, err := ln.Accept()
			if err != nil {
				return // it was closed
			}
			l.wg.Go(func() { l.answer(c, answer) })
		}
	})
}

// answer has a connection answered, through the host's gate.
func (l *lines) answer(c net.Conn, by func(net.Conn)) {
	conn := &gatedConn{Conn: c, gate: l.host.gate, done: make(chan struct{}), left: l.host.world.cfg.Busy()}
	defer conn.Close()
	if !l.keep(conn) {
		return
	}
	defer l.forget(conn)
	if l.host.gate.pass(conn.done) {
		by(conn)
	}
}

func (l *lines) keep(c io.Closer) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.all[c] = struct{}{}
	}
	return !l.closed
}

func (l *lines) forget(c io.Closer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.all, c)
}

// listenTCP takes the first port that is to be had. The address is one that Linux and
// Windows have; elsewhere it is this computer's usual one, with another port.
func listenTCP(address string, ports ...int) (net.Listener, error) {
	var errs []error
	for _, port := range ports {
		ln, err := net.Listen("tcp4", net.JoinHostPort(address, strconv.Itoa(port)))
		if err == nil {
			return ln, nil
		}
		errs = append(errs, err)
	}
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(append(errs, err)...)
	}
	return ln, nil
}

// publish makes the host listen at a port that a container publishes.
func (h *Host) publish(port int, answer func(net.Conn)) (func(), error) {
	return h.openPort(port, Body.FilterPublished, answer)
}

// listen makes the host listen at a port of its own.
func (h *Host) listen(port int, answer func(net.Conn)) (func(), error) {
	return h.openPort(port, Body.Filter, answer)
}

// openPort makes the host listen at a port, which other programs of this computer
// then reach as well.
func (h *Host) openPort(port int, filter func(Body, netip.Addr, int) debian.Verdict, answer func(net.Conn)) (func(), error) {
	h.mu.Lock()
	l, body := h.lines, h.body
	h.mu.Unlock()
	if l == nil {
		return nil, fmt.Errorf("host %s is off", h.rec.FullName())
	}
	at := net.JoinHostPort(h.rec.Address, strconv.Itoa(port))
	ln, err := net.Listen("tcp4", at)
	if err != nil {
		return nil, portError(at, port, err)
	}
	l.mu.Lock()
	l.ports[port] = ln.Addr()
	l.mu.Unlock()
	h.forgive((&portUnserved{port: port}).Error())
	l.serve(ln, guarded(port, func(from netip.Addr, port int) debian.Verdict { return filter(body, from, port) }, answer))
	return func() {
		l.mu.Lock()
		delete(l.ports, port)
		l.mu.Unlock()
		ln.Close()
	}, nil
}

// portUnserved is the error of a port that the computer does not give to a host.
type portUnserved struct {
	port  int
	why   string
	taken bool // another program has it
}

func (e *portUnserved) Error() string { return fmt.Sprintf("port %d is not served: %s", e.port, e.why) }

func portError(at string, port int, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return &portUnserved{port: port, why: "this system has no address of its own for a host of a lab"}
	case errors.Is(err, syscall.EACCES):
		return &portUnserved{port: port, why: "this system leaves ports below 1024 to root"}
	}
	return &portUnserved{port, fmt.Sprintf("another program of this computer listens at %s, or at that port of all addresses: %v", at, err), true}
}

// sshPort is where a host's SSH server is, as the host sees it.
const sshPort = 22

// guarded answers those that the host's firewall lets in. This computer's system has
// taken the connection by then: one that a firewall drops stays open, and nobody
// answers.
func guarded(port int, filter func(netip.Addr, int) debian.Verdict, answer func(net.Conn)) func(net.Conn) {
	return func(c net.Conn) {
		verdict := debian.Admitted
		if from, err := netip.ParseAddrPort(c.RemoteAddr().String()); err == nil {
			verdict = filter(from.Addr().Unmap(), port)
		}
		switch verdict {
		case debian.Admitted:
			answer(c)
		case debian.Dropped:
			io.Copy(io.Discard, c) // until who waits gives up
		}
	}
}

// reach connects to a port of the host from within the lab.
func (h *Host) reach(ctx context.Context, from netip.Addr, port string) (net.Conn, error) {
	h.mu.Lock()
	l, body := h.lines, h.body
	h.mu.Unlock()
	if l == nil {
		<-ctx.Done() // nobody is there to refuse it
		return nil, ctx.Err()
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	open := l.ports[number]
	l.mu.Unlock()
	if open != nil { // which asks the firewall itself
		return dialFrom(ctx, from, open.String())
	}
	switch body.Filter(from, number) {
	case debian.Dropped:
		<-ctx.Done()
		return nil, ctx.Err()
	case debian.Rejected:
		return nil, errRefused
	}
	switch {
	case number == sshPort:
		return dialFrom(ctx, from, l.ssh)
	case body.Listens(number):
		return silent(), nil
	}
	return nil, errRefused
}

var errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}

// dialFrom connects from a host's own address, where this computer's system has
// such addresses: elsewhere all listeners are at its usual one.
func dialFrom(ctx context.Context, from netip.Addr, to string) (net.Conn, error) {
	var d net.Dialer
	if host, _, err := net.SplitHostPort(to); err == nil && host != "127.0.0.1" {
		d.LocalAddr = &net.TCPAddr{IP: from.AsSlice()}
	}
	return d.DialContext(ctx, "tcp", to)
}

// silent is a connection to something that says nothing.
func silent() net.Conn {
	mine, its := net.Pipe()
	go func() {
		io.Copy(io.Discard, its) // until the other end is closed
		its.Close()
	}()
	return mine
}

// Engine makes the host's Docker Engine answer without SSH, and returns where: a
// socket, as others of this computer must not use it.
func (h *Host) Engine() (string, error) {
	h.mu.Lock()
	l, body := h.lines, h.body
	h.mu.Unlock()
	if l == nil {
		return "", &api.Failure{Code: api.CodeInvalid, Message: fmt.Sprintf("host %s is off: start it first", h.rec.FullName())}
	}
	l.mu.Lock()
	at := l.engine
	l.mu.Unlock()
	if at != "" {
		return at, nil
	}
	ln, at, err := h.listenEngine()
	if err != nil {
		return "", err
	}
	l.mu.Lock()
	l.engine = at
	l.mu.Unlock()
	l.serve(ln, func(c net.Conn) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		engine, err := body.Engine(ctx)
		if err != nil {
			return // as a socket whose daemon does not run
		}
		splice(c, engine)
	})
	return at, h.set(func(r *record) { r.Socket = true })
}

// longestSocket is what every system takes as the path of a socket.
const longestSocket = 100

func (h *Host) listenEngine() (net.Listener, string, error) {
	if runtime.GOOS == "windows" { // whose docker CLI takes no such sockets
		ln, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return nil, "", err
		}
		return ln, "tcp://" + ln.Addr().String(), nil
	}
	path := filepath.Join(h.dir(), "docker.sock")
	if len(path) > longestSocket {
		dir := filepath.Join(os.TempDir(), "swarmscript-lab-"+strconv.Itoa(os.Getuid()))
		if err := privateDir(dir); err != nil {
			return nil, "", err
		}
		path = filepath.Join(dir, h.rec.ID+".sock")
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, "", err
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, "", err
	}
	info, err := os.Lstat(path)
	if err == nil {
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		return nil, "", errors.Join(err, ln.Close())
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	return &socket{ln, path, info}, "unix://" + path, nil
}

// socket is a listener that takes its file with it, unless that is another one's
// by now: of a lab that was made anew in the same folder.
type socket struct {
	net.Listener
	path string
	file os.FileInfo
}

// Close implements [net.Listener].
func (s *socket) Close() error {
	if now, err := os.Lstat(s.path); err == nil && os.SameFile(now, s.file) {
		_ = os.Remove(s.path) // one that stays is replaced by the next
	}
	return s.Listener.Close()
}

// privateDir makes a folder that nobody else may have made.
func privateDir(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() || info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s is not a folder of this user alone", dir)
	}
	return nil
}

// splice carries bytes both ways until one side is done.
func splice(a, b net.Conn) {
	var wg sync.WaitGroup
	one := func(to, from net.Conn) {
		io.Copy(to, from) // an end of either is an end
		if half, ok := to.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
			return
		}
		to.Close()
	}
	wg.Go(func() { one(a, b) })
	wg.Go(func() { one(b, a) })
	wg.Wait()
	b.Close()
}
