package lab

import "syscall"

// detachedProcess is the flag of a process without a console.
const detachedProcess = 0x00000008

// detached makes a child that no console's Ctrl-C reaches.
func detached() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{HideWindow: true, CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP | detachedProcess}
}
