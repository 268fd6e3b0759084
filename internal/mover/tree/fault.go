package tree

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"syscall"

	"github.com/sluice-cd/sluice"
)

// away lists the errors of a network file system whose server cannot be reached.
var away = []syscall.Errno{
	syscall.ETIMEDOUT, syscall.ESTALE, syscall.EHOSTDOWN, syscall.EHOSTUNREACH, syscall.ENOTCONN, syscall.ECONNRESET,
	syscall.EAGAIN,
}

// CodeOf says what an error of a file system means.
func CodeOf(err error) sluice.Code {
	errno, _ := errors.AsType[syscall.Errno](err)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return sluice.Cancelled
	case errno == syscall.ENOSPC, errno == syscall.EDQUOT:
		return sluice.Exhausted
	case errors.Is(err, fs.ErrPermission), errno == syscall.EROFS:
		return sluice.Denied
	case slices.Contains(away, errno):
		return sluice.Unavailable
	}
	return sluice.Failed
}

// fault says what an error means that came from the volume of a claim.
func fault(claim string, err error) error {
	if err == nil {
		return nil
	}
	if known, ok := errors.AsType[*sluice.Error](err); ok {
		return known
	}
	switch code := CodeOf(err); code {
	case sluice.Exhausted:
		return sluice.Errorf(code, "no space is left on the volume of the claim %s: %w", claim, err).
			WithHint("make the claim larger")
	case sluice.Denied:
		return sluice.Errorf(code, "this user may not use a file of the claim %s: %w", claim, err).
			WithHint("give this user access to the file named")
	case sluice.Cancelled:
		return sluice.Errorf(code, "the work on the volume of the claim %s was interrupted: %w", claim, err)
	default:
		return sluice.Errorf(code, "the volume of the claim %s: %w", claim, err)
	}
}
