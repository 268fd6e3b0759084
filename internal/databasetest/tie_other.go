//go:build !linux

package databasetest

import "os/exec"

// tie does nothing on systems that cannot tie processes: a killed test leaves its server behind.
func tie(*exec.Cmd) {}
