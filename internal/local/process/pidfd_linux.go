package process

import "golang.org/x/sys/unix"

// A descriptor of a process pins its number.
func openPID(pid int) (fd int, err error) { return unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK) }

func signalFD(fd int, sig unix.Signal) error { return unix.PidfdSendSignal(fd, sig, nil, 0) }
