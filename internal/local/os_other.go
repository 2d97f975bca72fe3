//go:build !linux

package local

import (
	"net"
	"os"
	"syscall"
)

const (
	sigKill     = syscall.Signal(9)
	sigPowerOff = syscall.Signal(38)
)

func signal(int, syscall.Signal) error { return errSystem }

func daemon() *syscall.SysProcAttr { return nil }

func tied() *syscall.SysProcAttr { return nil }

func tryLock(*os.File) (bool, error) { return false, errSystem }

func owner(os.FileInfo) (uid, gid int) { return 0, 0 }

func inNetwork(int, func() (net.Conn, error)) (net.Conn, error) { return nil, errSystem }
