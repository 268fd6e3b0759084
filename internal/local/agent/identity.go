package agent

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-cd/sluice/internal/local/process"
)

// identify returns the mark of the account's processes, which is created with the account. The copy of an account's
// directory becomes an account of its own: the processes belong to the original.
func identify(dir string) (string, error) {
	path := filepath.Join(dir, "id")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		id := newUID()
		return id, writeFile(path, []byte(id))
	}
	if err != nil {
		return "", err
	}
	id := string(b)
	copied, err := isCopy(dir, id)
	if err != nil || !copied {
		return id, err
	}
	if err := forgetProcesses(dir); err != nil {
		return "", err
	}
	id = newUID()
	return id, writeFile(path, []byte(id))
}

// isCopy reports whether processes with the identity belong to another directory that is still there.
func isCopy(dir, id string) (bool, error) {
	all, err := process.With(directoryVariable)
	return slices.ContainsFunc(all, func(p process.Marked) bool {
		other := p.Env[directoryVariable]
		return p.Env["SLUICE_ACCOUNT"] == id && !isSame(other, dir) && !isGone(other, id)
	}), err
}

// isSame reports whether both paths lead to the same directory, as those of a mount do.
func isSame(one, other string) bool {
	a, err := os.Stat(one)
	if err != nil {
		return false
	}
	b, err := os.Stat(other)
	return err == nil && os.SameFile(a, b)
}

// isGone reports whether the account is no longer in the directory.
func isGone(dir, id string) bool {
	b, err := os.ReadFile(filepath.Join(dir, "id"))
	return errors.Is(err, fs.ErrNotExist) || err == nil && string(b) != id
}

// forgetProcesses removes the pods that run for another account.
func forgetProcesses(dir string) error {
	records, err := loadRecords(dir)
	if err != nil {
		return err
	}
	for _, r := range records {
		if r.Phase == corev1.PodSucceeded || r.Phase == corev1.PodFailed {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, "pods", r.UID)); err != nil {
			return err
		}
	}
	return nil
}
