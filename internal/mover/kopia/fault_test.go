package kopia

import (
	"context"
	"fmt"
	"io/fs"
	"syscall"
	"testing"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/blob"
	"github.com/pkg/errors"

	"github.com/sluice-cd/sluice"
)

func TestFault(t *testing.T) {
	m := &Mover{place: "/backup"}
	for name, c := range map[string]struct {
		err  error
		code sluice.Code
	}{
		"disk full":         {&fs.PathError{Op: "write", Path: "p1", Err: syscall.ENOSPC}, sluice.Exhausted},
		"quota":             {syscall.EDQUOT, sluice.Exhausted},
		"password":          {repo.ErrInvalidPassword, sluice.Denied},
		"no right":          {&fs.PathError{Op: "open", Path: "p1", Err: syscall.EACCES}, sluice.Denied},
		"file server away":  {syscall.ESTALE, sluice.Unavailable},
		"interrupted":       {context.Canceled, sluice.Cancelled},
		"anything else":     {errors.New("odd"), sluice.Failed},
		"already explained": {sluice.Errorf(sluice.Conflict, "not empty"), sluice.Conflict},
	} {
		t.Run(name, func(t *testing.T) {
			for _, err := range []error{c.err, fmt.Errorf("deep: %w", errors.Wrap(c.err, "deeper"))} {
				if got := m.fault("copy", err); sluice.ErrorCode(got) != c.code {
					t.Errorf("%v is %s, want %s", got, sluice.ErrorCode(got), c.code)
				}
			}
		})
	}
	for _, code := range []sluice.Code{sluice.Exhausted, sluice.Denied} {
		causes := map[sluice.Code]error{sluice.Exhausted: syscall.ENOSPC, sluice.Denied: repo.ErrInvalidPassword}
		err := m.damage("file", causes[code])
		if sluice.ErrorCode(err) != code || sluice.ErrorHint(err) == "" {
			t.Errorf("while reading: %v", err)
		}
	}
	err := m.damage("file", blob.ErrBlobNotFound)
	if sluice.ErrorCode(err) != sluice.Failed || sluice.ErrorHint(err) == "" {
		t.Errorf("a blob that is gone: %v", err)
	}
}
