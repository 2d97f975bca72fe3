package local

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	sigKill = syscall.SIGKILL
	// sigPowerOff is SIGRTMIN+4, by which systemd is asked to power off.
	sigPowerOff = syscall.Signal(38)
)

func signal(pid int, sig syscall.Signal) error { return syscall.Kill(pid, sig) }

// daemon makes a child that no terminal's Ctrl-C reaches.
func daemon() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// tied makes a child that the kernel ends with the thread that started it.
func tied() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
}

// tryLock locks a file, for as long as it is open, or reports that somebody else
// has.
func tryLock(f *os.File) (bool, error) {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		case !errors.Is(err, syscall.EINTR):
			return false, &os.PathError{Op: "lock", Path: f.Name(), Err: err}
		}
	}
}

// owner returns whose a file is.
func owner(info os.FileInfo) (uid, gid int) {
	stat := info.Sys().(*syscall.Stat_t)
	return int(stat.Uid), int(stat.Gid)
}

// inNetwork dials from the network of a process: a socket belongs to that of the
// thread which makes it.
func inNetwork(pid int, dial func() (net.Conn, error)) (net.Conn, error) {
	own, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	defer own.Close()
	theirs, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	type dialed struct {
		conn net.Conn
		err  error
	}
	done := make(chan dialed)
	go func() {
		runtime.LockOSThread()
		var d dialed
		if d.err = enterNetwork(theirs); d.err == nil {
			d.conn, d.err = dial()
		}
		if enterNetwork(own) == nil {
			runtime.UnlockOSThread() // else the thread ends here
		}
		done <- d
	}()
	d := <-done
	return d.conn, d.err
}

func enterNetwork(ns *os.File) error {
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		return &os.PathError{Op: "enter", Path: ns.Name(), Err: err}
	}
	return nil
}
