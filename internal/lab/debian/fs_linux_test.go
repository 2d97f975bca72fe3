package debian_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/swarmscript/swarmscript/internal/lab/debian"
	"github.com/swarmscript/swarmscript/internal/lab/store"
)

var (
	names   = []string{"a", "b", "a/a", "a/b", "b/a", "b/l", "l", "l/a", "a/../b", "b/", ".", "a/b/c", "l/"}
	targets = []string{"a", "b", "../a", "l", "nosuch", "."}
)

// files are those of the computer, or of a machine, below a folder.
type files struct {
	write    func(p, text string, flag int) error
	mkdir    func(p string) error
	remove   func(p string) error
	rmdir    func(p string) error
	rename   func(p, q string) error
	symlink  func(to, p string) error
	link     func(p, q string) error
	truncate func(p string, n int64) error
	chmod    func(p string, mode uint32) error
	dump     func() string
}

// step does what three bytes say to a file system, and says what came of it.
func (f files) step(op, x, y byte) error {
	p, q := names[int(x)%len(names)], names[int(y)%len(names)]
	switch op % 10 {
	case 0:
		return f.write(p, fmt.Sprint(x, y), os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	case 1:
		return f.write(p, fmt.Sprint(y), os.O_WRONLY|os.O_CREATE|os.O_APPEND)
	case 2:
		return f.write(p, "excl", os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	case 3:
		return f.mkdir(p)
	case 4:
		return f.remove(p)
	case 5:
		return f.rmdir(p)
	case 6:
		return f.rename(p, q)
	case 7:
		return f.symlink(targets[int(y)%len(targets)], p)
	case 8:
		return f.link(p, q)
	}
	if y%2 == 0 {
		return f.truncate(p, int64(y%7))
	}
	return f.chmod(p, uint32(y)*8&0o777)
}

func real(dir string) files {
	at := func(p string) string { return dir + "/" + p }
	return files{
		write: func(p, text string, flag int) error {
			f, err := os.OpenFile(at(p), flag, 0o644)
			if err != nil {
				return err
			}
			_, err = f.WriteString(text)
			return errors.Join(err, f.Close())
		},
		mkdir:    func(p string) error { return os.Mkdir(at(p), 0o755) },
		remove:   func(p string) error { return syscall.Unlink(at(p)) },
		rmdir:    func(p string) error { return syscall.Rmdir(at(p)) },
		rename:   func(p, q string) error { return syscall.Rename(at(p), at(q)) },
		symlink:  func(to, p string) error { return os.Symlink(to, at(p)) },
		link:     func(p, q string) error { return os.Link(at(p), at(q)) },
		truncate: func(p string, n int64) error { return openTruncate(os.OpenFile(at(p), os.O_WRONLY, 0))(n) },
		chmod:    func(p string, mode uint32) error { return os.Chmod(at(p), os.FileMode(mode)) },
		dump: func() string {
			var b strings.Builder
			filepath.WalkDir(dir, func(p string, _ fs.DirEntry, _ error) error {
				info, err := os.Lstat(p)
				if err != nil || p == dir {
					return nil
				}
				st := info.Sys().(*syscall.Stat_t)
				to, _ := os.Readlink(p)
				text := []byte{}
				links := 0
				if info.Mode().IsRegular() {
					text, _ = os.ReadFile(p)
					links = int(st.Nlink)
				}
				fmt.Fprintf(&b, "%s %v %s %q %d\n", strings.TrimPrefix(p, dir), info.Mode(), to, text, links)
				return nil
			})
			return b.String()
		},
	}
}

func openTruncate(f interface {
	Truncate(int64) error
	Close() error
}, opened error) func(int64) error {
	return func(n int64) error {
		if opened != nil {
			return opened
		}
		return errors.Join(f.Truncate(n), f.Close())
	}
}

func simulated(s *debian.System, dir string) files {
	v := s.FS().Root()
	at := func(p string) string { return dir + "/" + p }
	var dump func(b *strings.Builder, p string)
	dump = func(b *strings.Builder, p string) {
		list, err := v.ReadDir(p)
		if err != nil {
			fmt.Fprintln(b, err)
		}
		for _, st := range list {
			inner := p + "/" + st.Name
			text := []byte{}
			links := 0
			if st.Kind == debian.File {
				text, _ = v.ReadFile(inner)
				links = st.Links
			}
			fmt.Fprintf(b, "%s %v %s %q %d\n", strings.TrimPrefix(inner, dir), st.FileMode(), st.Link, text, links)
			if st.IsDir() {
				dump(b, inner)
			}
		}
	}
	return files{
		write: func(p, text string, flag int) error {
			f, err := v.Open(at(p), flag, 0o644)
			if err != nil {
				return err
			}
			_, err = f.Write([]byte(text))
			return errors.Join(err, f.Close())
		},
		mkdir:   func(p string) error { return v.Mkdir(at(p), 0o755) },
		remove:  func(p string) error { return v.Unlink(at(p)) },
		rmdir:   func(p string) error { return v.Rmdir(at(p)) },
		rename:  func(p, q string) error { return v.Rename(at(p), at(q)) },
		symlink: func(to, p string) error { return v.Symlink(to, at(p)) },
		link:    func(p, q string) error { return v.Hardlink(at(p), at(q)) },
		truncate: func(p string, n int64) error {
			f, err := v.Open(at(p), os.O_WRONLY, 0)
			return openTruncate(f, err)(n)
		},
		chmod: func(p string, mode uint32) error { return v.Chmod(at(p), mode) },
		dump:  func() string { var b strings.Builder; dump(&b, dir); return b.String() },
	}
}

// number is which error of the system it is; 0 for none.
func number(err error) int {
	var e debian.Errno
	var sys syscall.Errno
	switch {
	case errors.As(err, &e):
		return int(e)
	case errors.As(err, &sys):
		return int(sys)
	}
	return 0
}

// FuzzFS does the same to a folder of the computer and to one of a machine: each
// step ends alike, and so does the whole, also for a machine that is made again out
// of the store.
func FuzzFS(f *testing.F) {
	f.Add([]byte("\x03\x00\x00\x00\x02\x01\x06\x00\x01\x07\x06\x01\x08\x04\x06\x04\x01\x00"))
	f.Add([]byte("\x03\x01\x00\x00\x04\x01\x08\x04\x06\x04\x04\x00\x01\x06\x05\x09\x06\x04"))
	f.Add([]byte("\x07\x06\x03\x00\x06\x00\x06\x06\x00\x05\x06\x00\x02\x06\x00"))
	f.Fuzz(func(t *testing.T, ops []byte) {
		dir := t.TempDir()
		old := syscall.Umask(0o022)
		defer syscall.Umask(old)
		st, err := store.Open(filepath.Join(t.TempDir(), "lab.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		cfg := debian.Config{Hostname: "m", Image: "debian-12", Store: st.In("m")}
		s, err := debian.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.FS().Root().Mkdir("/srv/t", 0o755); err != nil {
			t.Fatal(err)
		}
		want, got := real(dir), simulated(s, "/srv/t")
		for ; len(ops) >= 3; ops = ops[3:] {
			e1, e2 := want.step(ops[0], ops[1], ops[2]), got.step(ops[0], ops[1], ops[2])
			if number(e1) != number(e2) {
				t.Fatalf("step %v %s %s: the computer says %v, the machine %v\n%s", ops[0]%10, names[int(ops[1])%len(names)], names[int(ops[2])%len(names)], e1, e2, want.dump())
			}
		}
		if w, g := want.dump(), got.dump(); w != g {
			t.Fatalf("the computer has\n%sthe machine has\n%s", w, g)
		}
		_, used := s.FS().Usage()
		again, err := debian.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if w, g := got.dump(), simulated(again, "/srv/t").dump(); w != g {
			t.Fatalf("it was\n%sit is after a restart\n%s", w, g)
		}
		if _, now := again.FS().Usage(); now != used {
			t.Errorf("%d bytes were used, %d after a restart", used, now)
		}
	})
}
