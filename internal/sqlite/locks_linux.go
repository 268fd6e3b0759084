package sqlite

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Locks are locks of single bytes of a file (F_OFD_SETLK). They belong to the open file, so the system frees them when
// the process is killed, they hold between two Stores of one process, they can be tested without being taken, and they
// leave no files behind.
type locks struct{ file *os.File }

func newLocks(f *os.File) *locks { return &locks{f} }

// take locks the byte, for this file alone or shared with others. False: another open file holds it.
func (l *locks) take(offset int64, shared bool) (bool, error) {
	_, err := l.control(unix.F_OFD_SETLK, unix.Flock_t{Type: kindOf(shared), Start: offset, Len: 1})
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return false, nil
	}
	return err == nil, err
}

// taken reports whether another open file prevents such a lock.
func (l *locks) taken(offset int64, shared bool) (bool, error) {
	found, err := l.control(unix.F_OFD_GETLK, unix.Flock_t{Type: kindOf(shared), Start: offset, Len: 1})
	return found != unix.F_UNLCK, err
}

func (l *locks) free(offset int64) error {
	_, err := l.control(unix.F_OFD_SETLK, unix.Flock_t{Type: unix.F_UNLCK, Start: offset, Len: 1})
	return err
}

// freeAll frees all bytes now. Closing the file is not enough: a process that is being started has it open too.
func (l *locks) freeAll() error {
	_, err := l.control(unix.F_OFD_SETLK, unix.Flock_t{Type: unix.F_UNLCK})
	return err
}

func kindOf(shared bool) int16 {
	if shared {
		return unix.F_RDLCK
	}
	return unix.F_WRLCK
}

// control changes or tests the lock while the file cannot be closed, and returns the kind that it then has.
func (l *locks) control(command int, lock unix.Flock_t) (found int16, err error) {
	c, err := l.file.SyscallConn()
	if err != nil {
		return lock.Type, err
	}
	closed := c.Control(func(fd uintptr) { err = unix.FcntlFlock(fd, command, &lock) })
	return lock.Type, errors.Join(err, closed)
}
