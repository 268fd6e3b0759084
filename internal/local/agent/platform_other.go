//go:build !linux

package agent

import (
	"errors"
	"net"
	"os"
)

// Only Linux runs agents: the package local refuses to start them elsewhere.

func watchPath(string) (*os.File, error) { return nil, errors.ErrUnsupported }
func bind(string, int32) error           { return errors.ErrUnsupported }
func peer(*net.UnixConn) (int32, error)  { return 0, errors.ErrUnsupported }
