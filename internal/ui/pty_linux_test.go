package ui

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openPty returns both ends of a terminal of 66 columns.
func openPty(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { master.Close() })
	conn, err := master.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var n int
	conn.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			n, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
		if err == nil {
			err = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: 20, Col: 66})
		}
	})
	if err != nil {
		t.Skip(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { slave.Close() })
	return master, slave
}

func TestNewTerminal(t *testing.T) {
	_, pty := openPty(t)
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, c := range []struct {
		env              string
		noColor          bool
		in, out          *os.File
		live, ask, color bool
	}{
		{"TERM=xterm", false, pty, pty, true, true, true},
		{"TERM=xterm", true, pty, pty, true, true, false},
		{"TERM=xterm NO_COLOR=1", false, pty, pty, true, true, false},
		{"TERM=dumb", false, pty, pty, false, true, false},
		{"", false, pty, pty, false, true, false},
		{"TERM=xterm CI=true", false, pty, pty, false, false, true},
		{"TERM=xterm CI=false", false, pty, pty, true, true, true},
		{"TERM=xterm", false, file, pty, true, false, true},
		{"TERM=xterm", false, pty, file, false, false, false},
	} {
		env := map[string]string{}
		for _, kv := range strings.Fields(c.env) {
			k, v, _ := strings.Cut(kv, "=")
			env[k] = v
		}
		got := NewTerminal(c.in, c.out, c.noColor, func(k string) string { return env[k] })
		if got.Live != c.live || got.Ask != c.ask || got.Color != c.color {
			t.Errorf("%q: got live %t, ask %t, color %t", c.env, got.Live, got.Ask, got.Color)
		}
		if want := 66; c.out == pty && got.Style().Width != want {
			t.Errorf("width %d, want %d", got.Style().Width, want)
		}
	}
}

func TestApprove(t *testing.T) {
	for answer, want := range map[string]bool{"yes\n": true, " yes \n": true, "y\n": false, "\n": false, "Yes\n": false, "\x04": false} {
		master, slave := openPty(t)
		term := NewTerminal(slave, slave, true, func(string) string { return "xterm" })
		term.Ask = true // CI is "xterm" too
		if _, err := io.WriteString(master, answer); err != nil {
			t.Fatal(err)
		}
		got, err := Approve(context.Background(), term, Question{Project: "shop"})
		if got != want || err != nil {
			t.Errorf("%q: got %t, %v", answer, got, err)
		}
	}
}

func TestApproveCancelled(t *testing.T) {
	in, w := io.Pipe()
	defer w.Close()
	var out bytes.Buffer
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(20*time.Millisecond, cancel)
	got, err := Approve(ctx, Terminal{In: in, Out: &out, Ask: true}, Question{Project: "shop", Destroy: true, Lost: []string{"volume.data\x1b[2J"}})
	if got || !errors.Is(err, context.Canceled) {
		t.Errorf("got %t, %v", got, err)
	}
	golden(t, "approve-destroy.txt", out.Bytes())
	if got, err := Approve(context.Background(), Terminal{In: in, Out: &out}, Question{}); got || err != ErrNobodyToAsk {
		t.Errorf("without a terminal: got %t, %v", got, err)
	}
}

// The tree on a real terminal: what arrives is what a small terminal shows.
func TestTreeOnPty(t *testing.T) {
	master, slave := openPty(t)
	screen := newScreen(t, 66, 20)
	var wg sync.WaitGroup
	wg.Go(func() {
		var all []byte
		b := make([]byte, 4096)
		for {
			n, err := master.Read(b)
			all = append(all, b[:n]...)
			if err != nil || bytes.Contains(all, []byte("the end")) {
				// The line discipline makes \r\r\n of \r\n, which is the same.
				screen.Write(bytes.ReplaceAll(all, []byte("\r\r\n"), []byte("\r\n")))
				return
			}
		}
	})
	p := NewProgress(NewTerminal(slave, slave, true, func(k string) string { return map[string]string{"TERM": "xterm"}[k] }), Auto, everything())
	tell(p)
	time.Sleep(3 * redrawEvery)
	p.Close()
	fmt.Fprintln(slave, "the end")
	wg.Wait()
	got := screen.text()
	if !strings.HasSuffix(got, "\nthe end\n") || strings.Contains(got, "waiting\n") || strings.Contains(got, "updating") {
		t.Errorf("the tree left something behind:\n%s", got)
	}
	if !strings.Contains(got, "network.front") || !strings.Contains(strings.ReplaceAll(got, "\n", ""), "did not converge in 60 s") {
		t.Errorf("what has ended is gone:\n%s", got)
	}
}
