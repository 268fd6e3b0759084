package kopia

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/blob"
	"github.com/minio/minio-go/v7"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/mover/tree"
)

// fault says what an error of kopia means. verb completes "The repository cannot ...".
func (m *Mover) fault(verb string, err error) error {
	if e, ok := errors.AsType[*sluice.Error](err); ok {
		return e
	}
	if err == nil {
		return nil
	}
	if errors.Is(err, repo.ErrInvalidPassword) {
		return sluice.Errorf(sluice.Denied, "the password does not open the repository %s", m.place).
			WithHint("use the key that the repository was made with, or move the directory away to begin a new one")
	}
	switch code := codeOf(err); code {
	case sluice.Cancelled:
		return sluice.Errorf(code, "%s in the repository %s was interrupted: %w", verb, m.place, err)
	case sluice.Exhausted:
		return sluice.Errorf(code, "no space is left to %s in the repository %s: %w", verb, m.place, err).
			WithHint("free space there, or list copies with `sluice data list` and delete some")
	case sluice.Denied:
		return sluice.Errorf(code, "this user may not %s in the repository %s: %w", verb, m.place, err).
			WithHint("give this user access to what is named")
	case sluice.Unavailable:
		return sluice.Errorf(code, "the repository %s cannot be reached: %w", m.place, err)
	default:
		return sluice.Errorf(code, "the repository %s cannot %s: %w", m.place, verb, err)
	}
}

// codeOf says what an error of a file system, a network or a bucket means.
func codeOf(err error) sluice.Code {
	if code := tree.CodeOf(err); code != sluice.Failed {
		return code
	}
	if said, ok := errors.AsType[minio.ErrorResponse](err); ok {
		return codeOfStatus(said.StatusCode)
	}
	if _, distrusted := errors.AsType[*tls.CertificateVerificationError](err); distrusted {
		return sluice.Failed
	}
	if _, network := errors.AsType[net.Error](err); network {
		return sluice.Unavailable
	}
	return sluice.Failed
}

func codeOfStatus(status int) sluice.Code {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return sluice.Denied
	case status == http.StatusInsufficientStorage:
		return sluice.Exhausted
	case status == http.StatusTooManyRequests, status >= http.StatusInternalServerError:
		return sluice.Unavailable
	}
	return sluice.Failed
}

// damage says that a file of a copy cannot be read back as it was written. The cause names the blob. An error that says
// already what it means stays as it is.
func (m *Mover) damage(file string, err error) error {
	if known, ok := errors.AsType[*sluice.Error](err); ok {
		return known
	}
	known := m.fault("read", err)
	if sluice.ErrorCode(known) != sluice.Failed {
		return known
	}
	what := "is damaged"
	if errors.Is(err, blob.ErrBlobNotFound) {
		what = "is incomplete"
	}
	return sluice.Errorf(sluice.Failed, "the repository %s %s: %s cannot be read back: %w", m.place, what, file, err).
		WithHint("this copy cannot be relied on; check the disk below %s, and take a new one, which copies that "+
			"content again", m.place)
}
