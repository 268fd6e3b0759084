//go:build !linux

package volume

import (
	"context"
	"errors"
)

// Clone returns [errors.ErrUnsupported], as do all functions here: only Linux runs local accounts.
func Clone(context.Context, string, string) error { return errors.ErrUnsupported }

// Size returns [errors.ErrUnsupported].
func Size(string) (int64, error) { return 0, errors.ErrUnsupported }

// Free returns [errors.ErrUnsupported].
func Free(string) (int64, error) { return 0, errors.ErrUnsupported }

// CanShare returns [errors.ErrUnsupported].
func CanShare(string) (bool, error) { return false, errors.ErrUnsupported }

// Sync returns [errors.ErrUnsupported].
func Sync(string) error { return errors.ErrUnsupported }
