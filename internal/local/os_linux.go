package local

import (
	"errors"
	"os"
	"syscall"
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
