//go:build !windows

package lab

import "syscall"

// detached makes a child that no terminal's Ctrl-C reaches.
func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
