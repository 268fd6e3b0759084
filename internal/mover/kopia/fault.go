package kopia

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/blob"

	"github.com/sluice-cd/sluice"
)

// away lists the errors of a network file system whose server cannot be reached.
var away = []error{
	syscall.ETIMEDOUT, syscall.ESTALE, syscall.EHOSTDOWN, syscall.EHOSTUNREACH, syscall.ENOTCONN, syscall.ECONNRESET,
	syscall.EAGAIN,
}

// fault says what an error of kopia means. verb completes "The repository cannot ...".
func (m *Mover) fault(verb string, err error) error {
	if e, ok := errors.AsType[*sluice.Error](err); ok {
		return e
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return sluice.Errorf(sluice.Cancelled, "%s in the repository %s was interrupted: %w", verb, m.dir, err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return sluice.Errorf(sluice.Exhausted, "no space is left to %s: %w", verb, err).
			WithHint("free space on the file system of %s or of the volumes, "+
				"or list copies with `sluice data list` and delete some", m.dir)
	case errors.Is(err, repo.ErrInvalidPassword):
		return sluice.Errorf(sluice.Denied, "the password does not open the repository %s", m.dir).
			WithHint("use the key that the repository was made with, or move the directory away to begin a new one")
	case errors.Is(err, fs.ErrPermission):
		return sluice.Errorf(sluice.Denied, "this user may not %s: %w", verb, err).
			WithHint("give this user access to the file named")
	case errors.Is(err, syscall.EROFS):
		return sluice.Errorf(sluice.Denied, "the file system is read-only: %w", err)
	}
	for _, a := range away {
		if errors.Is(err, a) {
			return sluice.Errorf(sluice.Unavailable, "the repository %s cannot be reached: %w", m.dir, err)
		}
	}
	return sluice.Errorf(sluice.Failed, "the repository %s cannot %s: %w", m.dir, verb, err)
}

// damage says that a file of a copy cannot be read back as it was written. The cause names the blob.
func (m *Mover) damage(file string, err error) error {
	known := m.fault("read", err)
	if sluice.ErrorCode(known) != sluice.Failed {
		return known
	}
	what := "is damaged"
	if errors.Is(err, blob.ErrBlobNotFound) {
		what = "is incomplete"
	}
	return sluice.Errorf(sluice.Failed, "the repository %s %s: %s cannot be read back: %w", m.dir, what, file, err).
		WithHint("this copy cannot be relied on; take a new one after the disk below %s has been checked", m.dir)
}
