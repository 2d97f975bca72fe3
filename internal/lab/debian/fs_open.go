package debian

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// Is reports whether an error is one of a system call.
func Is(err error, e Errno) bool {
	var got Errno
	return errors.As(err, &got) && got == e
}

// reason is an error without the path, as commands print it.
func reason(err error) string {
	var e *fs.PathError
	if errors.As(err, &e) {
		err = e.Err
	}
	return err.Error()
}

// Handle is a file that is open. One goroutine at a time may use it.
type Handle struct {
	fs     *FS
	node   *inode
	path   string
	flag   int
	off    int64
	made   []byte // of a file that is made up: what it was when it was opened
	closed bool
}

// Open opens a file with the flags of package os; the mode counts where it is made.
func (v *Files) Open(p string, flag int, mode uint32) (*Handle, error) {
	h, err := v.open(p, flag, mode)
	if err != nil {
		return nil, pathError("open", p, err)
	}
	if h.node.made != nil && h.node.made.Read != nil {
		h.made = h.node.made.Read() // not under the lock: it may look at the file system
	}
	return h, nil
}

func (v *Files) open(p string, flag int, mode uint32) (*Handle, error) {
	v.FS.mu.Lock()
	defer v.FS.mu.Unlock()
	if flag&os.O_CREATE != 0 && strings.HasSuffix(p, "/") {
		return nil, EISDIR
	}
	at, err := v.FS.walk(v, p, flag&os.O_EXCL == 0)
	if err != nil {
		return nil, err
	}
	c := changes{}
	made := at.node == nil
	if made {
		if flag&os.O_CREATE == 0 {
			return nil, ENOENT
		}
		n := &inode{kind: File, mode: mode &^ v.Umask & 0o7777}
		if err := v.add(at, c, n); err != nil {
			return nil, err
		}
		at.node = n
	} else if err := v.mayOpen(at.node, flag); err != nil {
		return nil, err
	}
	n := at.node
	if flag&os.O_TRUNC != 0 && !made && n.made == nil && n.kind == File {
		if err := v.FS.resize(n, 0); err != nil {
			return nil, err
		}
		c.meta(n)
		c.content(n)
	}
	if err := v.FS.save(c); err != nil {
		return nil, err
	}
	n.opens++
	return &Handle{fs: v.FS, node: n, path: v.Abs(p), flag: flag}, nil
}

func (v *Files) mayOpen(n *inode, flag int) error {
	write := flag&(os.O_WRONLY|os.O_RDWR) != 0
	want := uint32(4)
	if write {
		want = 2
	}
	if flag&os.O_RDWR != 0 {
		want = 6
	}
	switch {
	case flag&os.O_CREATE != 0 && flag&os.O_EXCL != 0:
		return EEXIST
	case n.kind == Folder && write:
		return EISDIR
	case n.kind == Socket:
		return ENXIO
	case n.kind == Link:
		return ELOOP
	case !n.allows(v.Who, want):
		return EACCES
	case write && n.made != nil && n.made.Write == nil:
		return EACCES
	}
	return nil
}

// own gives an entry content of its own, of a length.
func (f *FS) resize(n *inode, size int64) error {
	had := int64(len(n.data))
	if n.shared {
		had = 0
	}
	if err := f.room(size - had); err != nil {
		return err
	}
	if n.shared {
		n.data = slices.Clone(n.data)
		n.shared = false
	}
	if size <= int64(len(n.data)) {
		n.data = n.data[:size:size]
	} else {
		n.data = append(n.data, make([]byte, size-int64(len(n.data)))...)
	}
	n.mtime = time.Now()
	n.ctime = n.mtime
	n.dirty = true
	return nil
}

// Read reads from where the last Read or Write ended.
func (h *Handle) Read(b []byte) (int, error) {
	n, err := h.ReadAt(b, h.off)
	h.off += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

// ReadAt reads from a place.
func (h *Handle) ReadAt(b []byte, off int64) (int, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	switch {
	case h.closed || h.flag&os.O_WRONLY != 0:
		return 0, EBADF
	case h.node.kind == Folder:
		return 0, pathError("read", h.path, EISDIR)
	case off < 0:
		return 0, EINVAL
	}
	if h.node.kind == Device {
		return readDevice(h.node.id, b)
	}
	data := h.node.data
	if h.node.made != nil {
		data = h.made
	}
	if off >= int64(len(data)) {
		return 0, io.EOF
	}
	n := copy(b, data[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// readDevice reads from what is in /dev.
func readDevice(id string, b []byte) (int, error) {
	switch id {
	case "/dev/zero", "/dev/full":
		clear(b)
	case "/dev/random", "/dev/urandom":
		rand.Read(b)
	default:
		return 0, io.EOF
	}
	return len(b), nil
}

// Write writes where the last Read or Write ended, or at the end.
func (h *Handle) Write(b []byte) (int, error) {
	if h.flag&os.O_APPEND != 0 {
		h.off = h.Size()
	}
	n, err := h.WriteAt(b, h.off)
	h.off += int64(n)
	return n, err
}

// WriteAt writes at a place.
func (h *Handle) WriteAt(b []byte, off int64) (int, error) {
	if h.node.made != nil {
		if h.closed || h.node.made.Write == nil {
			return 0, EBADF
		}
		if err := h.node.made.Write(b); err != nil {
			return 0, err
		}
		return len(b), nil
	}
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if h.closed || h.flag&(os.O_WRONLY|os.O_RDWR) == 0 {
		return 0, EBADF
	}
	switch {
	case h.node.kind == Device && h.node.id == "/dev/full":
		return 0, ENOSPC
	case h.node.kind == Device:
		return len(b), nil
	case off < 0:
		return 0, EINVAL
	}
	if off > h.fs.limit {
		return 0, EFBIG
	}
	if err := h.fs.resize(h.node, max(int64(len(h.node.data)), off+int64(len(b)))); err != nil {
		return 0, err
	}
	copy(h.node.data[off:], b)
	return len(b), nil
}

// Size is how long the file is.
func (h *Handle) Size() int64 {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if h.node.made != nil {
		return int64(len(h.made))
	}
	return int64(len(h.node.data))
}

// Seek goes to another place.
func (h *Handle) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += h.off
	case io.SeekEnd:
		offset += h.Size()
	}
	if offset < 0 {
		return 0, EINVAL
	}
	h.off = offset
	return offset, nil
}

// Truncate makes the file as long as is said.
func (h *Handle) Truncate(size int64) error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if h.closed || h.flag&(os.O_WRONLY|os.O_RDWR) == 0 || h.node.made != nil {
		return EINVAL
	}
	return h.fs.resize(h.node, size)
}

// Stat says what is open.
func (h *Handle) Stat() Stat {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	return h.node.stat(path.Base(h.path))
}

// Path is where it was opened.
func (h *Handle) Path() string { return h.path }

// Sync writes what the file holds to the store.
func (h *Handle) Sync() error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	return h.flush()
}

func (h *Handle) flush() error {
	if !h.node.dirty || h.node.links == 0 {
		return nil
	}
	c := changes{}
	c.meta(h.node)
	c.content(h.node)
	return h.fs.save(c)
}

// Close closes it, and gives up its locks.
func (h *Handle) Close() error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if h.closed {
		return EBADF
	}
	err := h.flush()
	h.closed = true
	h.fs.unlock(h)
	if h.node.opens--; h.node.opens == 0 && h.node.links <= 0 && h.node.made == nil {
		c := changes{}
		h.fs.forget(h.node, c)
		err = errors.Join(err, h.fs.save(c))
	}
	return err
}

// fileLock is a lock of flock(2), or of fcntl(2), which is called POSIX.
type fileLock struct {
	node  *inode
	h     *Handle
	posix bool
	write bool
	pid   int
}

// Lock waits for a lock on the file; with try it does not wait but returns EAGAIN.
// Locks of flock(2) and of fcntl(2) do not see each other.
func (h *Handle) Lock(ctx context.Context, pid int, posix, write, try bool) error {
	for {
		h.fs.mu.Lock()
		free := true
		for _, l := range h.fs.locks {
			if l.node == h.node && l.posix == posix && l.h != h && (!posix || l.pid != pid) && (l.write || write) {
				free = false
			}
		}
		if free {
			h.fs.locks = slices.DeleteFunc(h.fs.locks, func(l fileLock) bool { return l.h == h && l.posix == posix })
			h.fs.locks = append(h.fs.locks, fileLock{h.node, h, posix, write, pid})
			h.fs.mu.Unlock()
			return nil
		}
		wait := h.fs.locked
		h.fs.mu.Unlock()
		if try {
			return EAGAIN
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Unlock gives up what Lock took.
func (h *Handle) Unlock() {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	h.fs.unlock(h)
}

func (f *FS) unlock(h *Handle) {
	n := len(f.locks)
	f.locks = slices.DeleteFunc(f.locks, func(l fileLock) bool { return l.h == h })
	if len(f.locks) < n {
		close(f.locked)
		f.locked = make(chan struct{})
	}
}

// procLocks is /proc/locks.
func (f *FS) procLocks() []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	var b []byte
	for i, l := range f.locks {
		kind, mode := "FLOCK ", "READ "
		if l.posix {
			kind = "POSIX "
		}
		if l.write {
			mode = "WRITE"
		}
		b = fmt.Appendf(b, "%d: %s ADVISORY  %s %d fe:01:%d 0 EOF\n", i+1, kind, mode, l.pid, l.node.ino)
	}
	return b
}
