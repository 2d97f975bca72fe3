//go:build !windows

package remote

import (
	"os/exec"
	"syscall"
)

// ownSession starts a command away from our terminal.
func ownSession(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
