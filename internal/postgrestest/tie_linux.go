package postgrestest

import (
	"os/exec"
	"syscall"
)

// tie lets the server end with this process, even if this one is killed.
func tie(cmd *exec.Cmd) { cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT }
