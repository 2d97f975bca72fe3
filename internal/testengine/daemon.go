package testengine

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// A daemon is a server beside the engines, on this computer itself. It dies with the test process.
type daemon struct {
	log  string
	cmd  *exec.Cmd
	done chan struct{}
}

// startDaemon starts a server and waits until it listens.
func startDaemon(tb testing.TB, dir, addr, program string, args ...string) *daemon {
	tb.Helper()
	d := &daemon{log: filepath.Join(dir, filepath.Base(program)+".log"), cmd: exec.Command(program, args...), done: make(chan struct{})}
	out, err := os.OpenFile(d.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		tb.Fatal(err)
	}
	defer out.Close()
	d.cmd.Env = []string{"PATH=" + systemPath, "HOME=" + dir}
	d.cmd.Stdout, d.cmd.Stderr = out, out
	d.cmd.SysProcAttr = diesWithThread()
	started := make(chan error)
	go func() {
		// As with a machine: the kernel ends it with the thread that started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := d.cmd.Start()
		started <- err
		if err == nil {
			d.cmd.Wait()
			close(d.done)
		}
	}()
	if err := <-started; err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		d.stop()
		if tb.Failed() {
			text := d.text()
			tb.Logf("the end of the log of %s:\n%s", program, text[max(0, len(text)-3000):])
		}
	})
	if err := d.listens(addr); err != nil {
		tb.Fatalf("%s: %v\n%s", program, err, d.text())
	}
	return d
}

func (d *daemon) listens(addr string) error {
	for begun := time.Now(); time.Since(begun) < startLimit; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			return c.Close()
		}
		select {
		case <-d.done:
			return errors.New("it ended")
		default:
		}
	}
	return fmt.Errorf("%s does not answer", addr)
}

func (d *daemon) stop() {
	d.cmd.Process.Kill()
	<-d.done
}

func (d *daemon) text() string {
	text, _ := os.ReadFile(d.log)
	return string(text)
}

// lines counts the lines of the log that hold a text.
func (d *daemon) lines(text string) int {
	n := 0
	for line := range strings.Lines(d.text()) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// freePort is a port of an address that nobody listens on.
func freePort(tb testing.TB, ip string) string {
	tb.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}
