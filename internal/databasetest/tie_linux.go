package databasetest

import (
	"os/exec"
	"syscall"
)

// tie lets the process die with this one, even if this one is killed.
func tie(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
