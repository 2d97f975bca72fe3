//go:build !linux

package testengine

import (
	"errors"
	"os"
	"syscall"
)

var errNotLinux = errors.New("test engines need Linux")

func namespaces() *syscall.SysProcAttr { return nil }

func diesWithThread() *syscall.SysProcAttr { return nil }

const (
	sigKill = syscall.Signal(9)
	sigTerm = syscall.Signal(15)
	sigStop = syscall.Signal(19)
	sigCont = syscall.Signal(18)
)

func signal(int, syscall.Signal) error { return errNotLinux }

func lockFile(string, bool) (*os.File, error) { return nil, errNotLinux }
