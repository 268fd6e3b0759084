package kopia_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/mover"
	"github.com/sluice-cd/sluice/internal/mover/kopia"
	"github.com/sluice-cd/sluice/internal/movertest"
)

func password(word string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return word, nil }
}

func open(t *testing.T, dir string) *kopia.Mover {
	t.Helper()
	m, err := kopia.Open(t.Context(), kopia.Options{Dir: dir, CacheDir: t.TempDir(), Password: password("sesame")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return m
}

func TestContract(t *testing.T) {
	movertest.Run(t, func(t *testing.T) movertest.Subject {
		dir := filepath.Join(t.TempDir(), "repository")
		return movertest.Subject{Dir: dir, Open: func(t *testing.T) sluice.Mover { return open(t, dir) }}
	})
}

// A deployment without data makes no repository.
func TestNothingIsMadeBeforeItIsUsed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "repository")
	m := kopia.New(kopia.Options{Dir: dir, CacheDir: t.TempDir(), Password: password("sesame")})
	restore := sluice.Transfer{Kind: sluice.TransferRestore, ID: "r"}
	if err := m.Cancel(t.Context(), restore); err != nil {
		t.Error(err)
	}
	if _, _, err := m.Find(t.Context(), restore); sluice.ErrorCode(err) != sluice.NotFound {
		t.Error(err)
	}
	if err := m.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the repository was made")
	}
}

func TestAPanicEndsTheTransferAlone(t *testing.T) {
	m := kopia.New(kopia.Options{
		Dir: t.TempDir(), CacheDir: t.TempDir(), Password: func(context.Context) (string, error) { panic("no key") },
	})
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "volume"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := mover.Run(t.Context(), m, copying(dir), nil)
	if sluice.ErrorCode(err) != sluice.Internal || sluice.ErrorHint(err) == "" {
		t.Errorf("the transfer ended with %v", err)
	}
}

func TestWrongPassword(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	_, err := kopia.Open(t.Context(), kopia.Options{Dir: dir, CacheDir: t.TempDir(), Password: password("other")})
	if sluice.ErrorCode(err) != sluice.Denied || sluice.ErrorHint(err) == "" {
		t.Errorf("a wrong password: %v", err)
	}
}

func TestDiedWhileCreating(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	if err := os.Remove(filepath.Join(dir, "kopia.repository.f")); err != nil {
		t.Fatal(err)
	}
	open(t, dir) // nothing was copied yet: it is made anew

	volume := t.TempDir()
	if err := os.Mkdir(filepath.Join(volume, "volume"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(volume, "volume", "f"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := mover.Run(t.Context(), open(t, dir), copying(volume), nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "kopia.repository.f")); err != nil {
		t.Fatal(err)
	}
	_, err := kopia.Open(t.Context(), kopia.Options{Dir: dir, CacheDir: t.TempDir(), Password: password("sesame")})
	if sluice.ErrorCode(err) != sluice.Failed {
		t.Errorf("a repository that lost its key was opened: %v", err)
	}
}

func TestMeasure(t *testing.T) {
	dir := t.TempDir()
	r, err := movertest.MeasureCopy(t.Context(), open(t, t.TempDir()), 8<<20, dir)
	if err != nil {
		t.Fatal(err)
	}
	timed := r.Copy > 0 && r.Incremental > 0 && r.Restore > 0 && r.CP > 0 && (r.Tar > 0 || r.Note != "")
	if !timed || r.Added < 1<<20 || r.AddedLater >= r.Added {
		t.Errorf("measured %+v", r)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("measuring left %v, %v", left, err)
	}
}
