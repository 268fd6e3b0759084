package kopia_test

import (
	"io/fs"
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
