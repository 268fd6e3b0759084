package movertest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	sparseSize   = 16 << 20
	largeSize    = 64 << 20
	contentFiles = 6
	contentBytes = sparseSize + 5 + 4 + 3 + 3
)

// plant makes a tree with everything that a volume may hold.
func plant(t *testing.T, dir string) {
	t.Helper()
	write(t, filepath.Join(dir, "empty"), nil, 0o644)
	write(t, filepath.Join(dir, "deep", "er", "plain"), []byte("plain"), 0o640)
	write(t, filepath.Join(dir, "odd \n\t\"name\" é.txt"), []byte("odd!"), 0o444)
	write(t, filepath.Join(dir, "run.sh"), []byte("#!/"), 0o755)
	write(t, filepath.Join(dir, ".kopiaignore"), []byte("*\n\n"), 0o600)
	must(t, os.MkdirAll(filepath.Join(dir, "nothing", "in it"), 0o750))
	must(t, os.Symlink("deep/er/plain", filepath.Join(dir, "link")))
	must(t, os.Symlink("/nowhere/at all", filepath.Join(dir, "dangling")))
	sparse, err := os.Create(filepath.Join(dir, "sparse"))
	must(t, err)
	_, err = sparse.WriteAt([]byte("end"), sparseSize-3)
	must(t, err)
	must(t, sparse.Close())
	must(t, os.Chmod(filepath.Join(dir, "deep"), 0o711))
	old := time.Date(2001, 2, 3, 4, 5, 6, 789, time.UTC)
	must(t, os.Chtimes(filepath.Join(dir, "run.sh"), old, old))
}

// same compares two trees: names, kinds, modes, times of files, targets and content.
func same(t *testing.T, want, got string) {
	t.Helper()
	if diff := cmp.Diff(describe(t, want), describe(t, got)); diff != "" {
		t.Errorf("the tree came back otherwise (-before +after):\n%s", diff)
	}
}

func describe(t *testing.T, dir string) map[string]string {
	t.Helper()
	tree := map[string]string{}
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		what := info.Mode().String()
		switch {
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			tree[name] = what + " to " + target
			return err
		case d.IsDir():
			tree[name] = what
			return nil
		}
		raw, err := os.ReadFile(path)
		sum := sha256.Sum256(raw)
		tree[name] = fmt.Sprint(what, info.ModTime().UnixNano(), " ", len(raw), " ", hex.EncodeToString(sum[:8]))
		return err
	}))
	return tree
}

func allocated(t *testing.T, name string) int64 {
	t.Helper()
	info, err := os.Stat(name)
	must(t, err)
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	return st.Blocks * 512
}

// damage flips one byte in the middle of the largest file below dir and returns that file's name.
func damage(t *testing.T, dir string) string {
	t.Helper()
	var name string
	var largest int64
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Size() > largest {
			largest, name = info.Size(), path
		}
		return err
	}))
	raw, err := os.ReadFile(name)
	must(t, err)
	raw[len(raw)/2] ^= 0x40
	must(t, os.Chmod(name, 0o600))
	must(t, os.WriteFile(name, raw, 0o600))
	return name
}

// names reports whether the error names the damaged file of the repository, without its directory and extension, which
// differ between movers.
func names(err error, file string) bool {
	stem, _, _ := strings.Cut(filepath.Base(file), ".")
	return strings.Contains(err.Error(), stem)
}

func write(t *testing.T, name string, content []byte, mode os.FileMode) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(name), 0o755))
	must(t, os.WriteFile(name, content, 0o600))
	must(t, os.Chmod(name, mode))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
