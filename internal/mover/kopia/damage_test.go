package kopia_test

import (
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/mover"
	"github.com/sluice-cd/sluice/internal/mover/kopia"
)

// A person who reads that the password is wrong looks for another password, while the disk fails.
func TestDamageIsNotAWrongPassword(t *testing.T) {
	dir, volume := t.TempDir(), t.TempDir()
	if err := os.Mkdir(filepath.Join(volume, "volume"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(volume, "volume", "f"), []byte(strings.Repeat("x", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	first, err := kopia.Open(t.Context(), kopia.Options{Dir: dir, CacheDir: t.TempDir(), Password: password("sesame")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mover.Run(t.Context(), first, copying(volume), nil); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	files := 0
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		sound, err := os.ReadFile(path)
		if err != nil || len(sound) == 0 {
			return err
		}
		files++
		for _, at := range []int{0, len(sound) / 2} { // kopia tries again for seconds
			damaged := append([]byte{}, sound...)
			damaged[at] ^= 1
			if err := os.WriteFile(path, damaged, 0o600); err != nil {
				return err
			}
			_, err := kopia.Open(t.Context(), kopia.Options{Dir: dir, CacheDir: t.TempDir(), Password: password("sesame")})
			if err != nil && (sluice.ErrorCode(err) != sluice.Failed || !strings.Contains(err.Error(), "is damaged")) {
				t.Errorf("%s, byte %d: %v", strings.TrimPrefix(path, dir), at, err)
			}
		}
		return os.WriteFile(path, sound, 0o600)
	})
	if err != nil || files < 4 {
		t.Errorf("%d files, %v", files, err)
	}
}

// A copy taken after damage was found is whole, although nothing in the volume has changed.
func TestDamagedContentIsCopiedAnew(t *testing.T) {
	dir, volume := t.TempDir(), t.TempDir()
	if err := os.Mkdir(filepath.Join(volume, "volume"), 0o700); err != nil {
		t.Fatal(err)
	}
	noise := make([]byte, 9<<20)
	_, _ = rand.NewChaCha8([32]byte{2}).Read(noise) // never fails
	if err := os.WriteFile(filepath.Join(volume, "volume", "f"), noise, 0o600); err != nil {
		t.Fatal(err)
	}
	m := open(t, dir)
	first, err := mover.Run(t.Context(), m, copying(volume), nil)
	if err != nil {
		t.Fatal(err)
	}
	flip(t, largest(t, dir))
	verifying := sluice.Transfer{Kind: sluice.TransferVerify, ID: "v-1", Copy: first}
	if _, err := mover.Run(t.Context(), m, verifying, nil); sluice.ErrorCode(err) != sluice.Failed {
		t.Fatalf("a flipped bit: %v", err)
	}
	again := copying(volume)
	again.ID = "d-2"
	second, err := mover.Run(t.Context(), m, again, nil)
	if err != nil {
		t.Fatal(err)
	}
	for id, c := range map[string]sluice.Copy{"v-2": second, "v-3": first} {
		verifying = sluice.Transfer{Kind: sluice.TransferVerify, ID: id, Copy: c}
		if _, err := mover.Run(t.Context(), m, verifying, nil); err != nil {
			t.Errorf("after another copy: %v", err)
		}
	}
}

// largest returns the largest file of the directory.
func largest(t *testing.T, dir string) (path string) {
	t.Helper()
	most := int64(0)
	err := filepath.WalkDir(dir, func(p string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Size() > most {
			path, most = p, info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// flip changes a bit in the middle of the file.
func flip(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
