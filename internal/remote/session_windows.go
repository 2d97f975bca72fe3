package remote

import "os/exec"

func ownSession(*exec.Cmd) {}
