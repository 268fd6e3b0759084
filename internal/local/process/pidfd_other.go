//go:build !linux

package process

import (
	"errors"

	"golang.org/x/sys/unix"
)

func openPID(int) (fd int, err error) { return -1, errors.ErrUnsupported }

func signalFD(int, unix.Signal) error { return errors.ErrUnsupported }
