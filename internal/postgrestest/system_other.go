//go:build !linux

package postgrestest

import "os/exec"

// tie does nothing on systems that cannot tie processes: a killed test leaves its server behind.
func tie(*exec.Cmd) {}

// fastest returns the usual directory of temporary files.
func fastest() string { return "" }
