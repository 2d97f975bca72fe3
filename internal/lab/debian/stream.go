package debian

import (
	"bufio"
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// stream is what a file descriptor stands for; several may stand for the same.
// What was read ahead of a pipe or a network connection stays in it for the next who reads.
type stream struct {
	r *bufio.Reader // of what is no file
	w io.Writer
	h *Handle
	p *pipeEnd

	mu   sync.Mutex // of the writer, which may not be safe for several
	refs int
	rmu  sync.Mutex
}

func readStream(r io.Reader) *stream {
	if r == nil {
		r = eofReader{}
	}
	return &stream{r: bufio.NewReaderSize(r, 4096), refs: 1}
}

func writeStream(w io.Writer) *stream {
	if w == nil {
		w = io.Discard
	}
	return &stream{w: w, refs: 1}
}

func fileStream(h *Handle) *stream { return &stream{h: h, refs: 1} }

type eofReader struct{}

func (eofReader) Read([]byte) (int, error) { return 0, io.EOF }

// Read reads from it.
func (s *stream) Read(b []byte) (int, error) {
	if s == nil {
		return 0, EBADF
	}
	s.rmu.Lock()
	defer s.rmu.Unlock()
	switch {
	case s.h != nil:
		return s.h.Read(b)
	case s.r != nil:
		return s.r.Read(b)
	}
	return 0, EBADF
}

// ReadByte reads one byte, and no more from what others read too.
func (s *stream) ReadByte() (byte, error) {
	var b [1]byte
	_, err := io.ReadFull(s, b[:])
	return b[0], err
}

// Write writes to it.
func (s *stream) Write(b []byte) (int, error) {
	if s == nil {
		return 0, EBADF
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.h != nil:
		return s.h.Write(b)
	case s.w != nil:
		n, err := s.w.Write(b)
		var no Errno
		if err != nil && !errors.As(err, &no) {
			err = EPIPE // who read it is gone
		}
		return n, err
	}
	return 0, EBADF
}

func (s *stream) keep() *stream {
	if s != nil {
		s.mu.Lock()
		s.refs++
		s.mu.Unlock()
	}
	return s
}

func (s *stream) release() error {
	s.mu.Lock()
	s.refs--
	last := s.refs == 0
	s.mu.Unlock()
	if !last {
		return nil
	}
	if s.p != nil {
		s.p.close()
	}
	if s.h != nil {
		return s.h.Close()
	}
	return nil
}

// fdTable are the file descriptors of a process. Others may look at it.
type fdTable struct {
	mu   sync.Mutex
	open map[int]*stream
}

func newFDs(stdin, stdout, stderr *stream) *fdTable {
	return &fdTable{open: map[int]*stream{0: stdin, 1: stdout, 2: stderr}}
}

// at returns what a descriptor stands for, nil where it is closed.
func (t *fdTable) at(n int) *stream {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open[n]
}

// numbers are those of the open descriptors; the first process has no table.
func (t *fdTable) numbers() []int {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Sorted(maps.Keys(t.open))
}

// clone gives another process the same ones.
func (t *fdTable) clone() *fdTable {
	t.mu.Lock()
	defer t.mu.Unlock()
	to := &fdTable{open: map[int]*stream{}}
	for n, s := range t.open {
		to.open[n] = s.keep()
	}
	return to
}

// set puts a stream, which it takes over, in the place of a descriptor.
func (t *fdTable) set(n int, s *stream) error {
	t.mu.Lock()
	old := t.open[n]
	if s == nil {
		delete(t.open, n)
	} else {
		t.open[n] = s
	}
	t.mu.Unlock()
	if old != nil {
		return old.release()
	}
	return nil
}

func (t *fdTable) close() {
	for _, n := range t.numbers() {
		t.set(n, nil)
	}
}

// pipeSize is how much a pipe holds.
const pipeSize = 64 << 10

// pipe is one between two processes.
type pipe struct {
	mu          sync.Mutex
	cond        *sync.Cond
	buf         []byte
	readerGone  bool
	writersGone bool
	ctx         context.Context
	stop        func() bool
}

type pipeEnd struct {
	p    *pipe
	read bool
}

// newPipe makes a pipe. It breaks when the context ends.
func newPipe(ctx context.Context) (r, w *stream) {
	p := &pipe{ctx: ctx}
	p.cond = sync.NewCond(&p.mu)
	p.stop = context.AfterFunc(ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.cond.Broadcast()
	})
	in, out := &pipeEnd{p, true}, &pipeEnd{p, false}
	r = readStream(in)
	r.p = in
	w = writeStream(out)
	w.p = out
	return r, w
}

func (e *pipeEnd) Read(b []byte) (int, error) {
	p := e.p
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.buf) == 0 {
		if p.writersGone {
			return 0, io.EOF
		}
		if p.ctx.Err() != nil {
			return 0, EPIPE
		}
		p.cond.Wait()
	}
	n := copy(b, p.buf)
	p.buf = p.buf[n:]
	p.cond.Broadcast()
	return n, nil
}

func (e *pipeEnd) Write(b []byte) (n int, err error) {
	p := e.p
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(b) > 0 {
		if p.readerGone || p.ctx.Err() != nil {
			return n, EPIPE
		}
		free := pipeSize - len(p.buf)
		if free <= 0 {
			p.cond.Wait()
			continue
		}
		k := min(free, len(b))
		p.buf = append(p.buf, b[:k]...)
		b, n = b[k:], n+k
		p.cond.Broadcast()
	}
	return n, nil
}

func (e *pipeEnd) close() {
	e.p.mu.Lock()
	defer e.p.mu.Unlock()
	if e.read {
		e.p.readerGone = true
	} else {
		e.p.writersGone = true
	}
	if e.p.readerGone && e.p.writersGone {
		e.p.stop()
	}
	e.p.cond.Broadcast()
}

// descriptorPath reports whether a path stands for a descriptor of the process itself.
func descriptorPath(p string) (int, bool) {
	switch p {
	case "/dev/stdin":
		return 0, true
	case "/dev/stdout":
		return 1, true
	case "/dev/stderr":
		return 2, true
	}
	for _, dir := range []string{"/dev/fd/", "/proc/self/fd/"} {
		if s, ok := strings.CutPrefix(p, dir); ok {
			n, err := strconv.Atoi(s)
			return n, err == nil
		}
	}
	return 0, false
}

// openFlags are those of the shell's redirections.
const (
	flagRead   = os.O_RDONLY
	flagWrite  = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	flagAppend = os.O_WRONLY | os.O_CREATE | os.O_APPEND
	flagBoth   = os.O_RDWR | os.O_CREATE
)
