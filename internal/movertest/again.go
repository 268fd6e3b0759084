package movertest

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/mover"
)

func beginsOnce(t *testing.T, s Subject) {
	a := t.TempDir()
	must(t, fill(filepath.Join(a, "data"), 8<<20))
	m, work := s.Open(t), transfer(sluice.TransferCopy, "d-1", a)
	for range 3 {
		must(t, m.Begin(t.Context(), work))
	}
	c, err := m.Follow(t.Context(), work, nil)
	must(t, err)
	if c.Files != 1 || c.Added > c.Bytes*3/2 {
		t.Errorf("a copy that was begun three times is %+v", c)
	}
	must(t, m.Begin(t.Context(), work))
	again, err := m.Follow(t.Context(), work, nil)
	must(t, err)
	if diff := cmp.Diff(c, again); diff != "" {
		t.Errorf("what was done was begun again: %s", diff)
	}
}

func followsNothing(t *testing.T, s Subject) {
	m := s.Open(t)
	for _, kind := range []sluice.TransferKind{sluice.TransferCopy, sluice.TransferRestore, sluice.TransferVerify} {
		work := transfer(kind, "never", t.TempDir())
		isAbsent(t, m, work)
		if _, err := m.Follow(t.Context(), work, nil); sluice.ErrorCode(err) != sluice.NotFound {
			t.Errorf("following a %s that never began: %v", kind, err)
		}
		must(t, m.Cancel(t.Context(), work))
	}
}

func otherInstance(t *testing.T, s Subject) {
	a := t.TempDir()
	write(t, filepath.Join(a, "f"), []byte("content"), 0o600)
	c := copyOf(t, s.Open(t), "d-1", a)
	other, work := s.Open(t), transfer(sluice.TransferCopy, "d-1", "") // it is found without its volumes
	found, done, err := other.Find(t.Context(), work)
	must(t, err)
	if diff := cmp.Diff(c, found); diff != "" || !done {
		t.Errorf("another instance finds (done: %t): %s", done, diff)
	}
	followed, err := other.Follow(t.Context(), work, nil)
	must(t, err)
	if diff := cmp.Diff(c, followed); diff != "" {
		t.Errorf("another instance follows: %s", diff)
	}
	must(t, other.Cancel(t.Context(), work))
	must(t, verify(t.Context(), other, c))
}

// cancels: the instance that began the work may be gone, or may itself cancel it.
func cancels(t *testing.T, s Subject) {
	a, x := t.TempDir(), t.TempDir()
	must(t, fill(filepath.Join(a, "data"), largeSize))
	c := copyOf(t, s.Open(t), "d-0", a)
	m := s.Open(t)
	for _, cancel := range []sluice.Mover{m, s.Open(t)} {
		work := transfer(sluice.TransferRestore, "r-1", x)
		work.Copy = c
		if cancel == m {
			must(t, m.Begin(t.Context(), work))
		} else {
			interrupted(t, m, work, 0)
		}
		must(t, cancel.Cancel(t.Context(), work))
		isAbsent(t, cancel, work)
		isAbsent(t, m, work)
		must(t, os.RemoveAll(x)) // nothing is written any more, so this copy is whole
		if _, err := os.Lstat(x); err == nil {
			t.Error("a cancelled restore writes on")
		}
		must(t, os.Mkdir(x, 0o700))
		must(t, restore(t.Context(), s.Open(t), c, x))
		same(t, a, x)
		must(t, os.RemoveAll(x))
		must(t, os.Mkdir(x, 0o700))
	}
	cancelled, end := context.WithCancel(t.Context())
	end()
	if _, err := mover.Run(cancelled, m, transfer(sluice.TransferCopy, "d-2", a), nil); err == nil {
		t.Error("a copy whose caller had ended succeeded")
	}
	isAbsent(t, m, transfer(sluice.TransferCopy, "d-2", a))
}

// deletesHalf: of two volumes the first is copied and the second is not. A copy with the same id made after the
// deletion has the first volume's content of that time.
func deletesHalf(t *testing.T, s Subject) {
	a, b, x, y := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	write(t, filepath.Join(a, "f"), []byte("before"), 0o600)
	must(t, fill(filepath.Join(b, "data"), largeSize))
	work := transfer(sluice.TransferCopy, "d-1", a, b)
	interrupted(t, s.Open(t), work, 32<<20)
	m := s.Open(t)
	must(t, m.Delete(t.Context(), place, "d-1"))
	isAbsent(t, m, work)
	write(t, filepath.Join(a, "f"), []byte("after!"), 0o600)
	must(t, restore(t.Context(), m, copyOf(t, m, "d-1", a, b), x, y))
	same(t, a, x)
	same(t, b, y)
}

// deletesOnly: there is nothing to delete, although the volumes could be copied.
func deletesOnly(t *testing.T, s Subject) {
	if s.Dir == "" {
		t.Skip("the repository's blobs cannot be reached")
	}
	a := t.TempDir()
	must(t, fill(filepath.Join(a, "data"), 8<<20))
	m, work := s.Open(t), transfer(sluice.TransferCopy, "d-1", a)
	isAbsent(t, m, work)
	before := size(t, s.Dir)
	must(t, m.Delete(t.Context(), place, "d-1"))
	isAbsent(t, m, work)
	if grew := size(t, s.Dir) - before; grew > 1<<20 {
		t.Errorf("the repository grew by %d bytes", grew)
	}
}

func size(t *testing.T, dir string) (n int64) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	}))
	return n
}
