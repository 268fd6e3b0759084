package volume_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/internal/local/volume"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestClone(t *testing.T) {
	src, dst := filepath.Join(t.TempDir(), "src"), filepath.Join(t.TempDir(), "dst")
	must(t, os.MkdirAll(filepath.Join(src, "sub", "empty"), 0o750))
	content := bytes.Repeat([]byte("0123456789abcdef"), 100_000)
	must(t, os.WriteFile(filepath.Join(src, "sub", "file"), content, 0o640))
	must(t, os.WriteFile(filepath.Join(src, "nothing"), nil, 0o400))
	must(t, os.Link(filepath.Join(src, "sub", "file"), filepath.Join(src, "twin")))
	must(t, os.Symlink("sub/file", filepath.Join(src, "link")))
	must(t, os.Symlink("/nowhere", filepath.Join(src, "dangling")))
	l, err := net.Listen("unix", filepath.Join(src, "s"))
	must(t, err)
	defer l.Close()
	sparse, err := os.Create(filepath.Join(src, "sparse"))
	must(t, err)
	_, err = sparse.WriteAt([]byte("in the middle"), 32<<20)
	must(t, err)
	must(t, sparse.Truncate(64<<20))
	must(t, sparse.Close())
	past := time.Date(2020, 2, 29, 12, 0, 0, 123456789, time.UTC)
	must(t, os.Chtimes(filepath.Join(src, "sub", "file"), past, past))
	must(t, os.Chtimes(filepath.Join(src, "sub"), past, past))

	must(t, volume.Clone(t.Context(), src, dst))

	got, err := os.ReadFile(filepath.Join(dst, "sub", "file"))
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("the file's content is not the same: %d bytes, %v", len(got), err)
	}
	for _, name := range []string{"sub", "sub/file", "sub/empty", "nothing", "sparse"} {
		was, now := lstat(t, src, name), lstat(t, dst, name)
		if was.Mode() != now.Mode() || !was.ModTime().Equal(now.ModTime()) {
			t.Errorf("%s is %s %s, was %s %s", name, now.Mode(), now.ModTime(), was.Mode(), was.ModTime())
		}
	}
	twin := lstat(t, dst, "twin")
	if !os.SameFile(twin, lstat(t, dst, "sub/file")) || os.SameFile(twin, lstat(t, src, "twin")) {
		t.Error("the hard link is not one within the copy")
	}
	for name, want := range map[string]string{"link": "sub/file", "dangling": "/nowhere"} {
		if to, err := os.Readlink(filepath.Join(dst, name)); to != want || err != nil {
			t.Errorf("%s points to %q, %v", name, to, err)
		}
	}
	if _, err := os.Lstat(filepath.Join(dst, "s")); err == nil {
		t.Error("the socket was copied")
	}
	if n := lstat(t, dst, "sparse").Sys().(*syscall.Stat_t).Blocks * 512; n > 1<<20 {
		t.Errorf("the sparse file takes %d bytes", n)
	}
	b := make([]byte, 13)
	f, err := os.Open(filepath.Join(dst, "sparse"))
	must(t, err)
	defer f.Close()
	if _, err := f.ReadAt(b, 32<<20); err != nil || string(b) != "in the middle" {
		t.Errorf("the sparse file holds %q, %v", b, err)
	}
	size, err := volume.Size(src)
	if err != nil || size < int64(len(content)) || size > int64(len(content))+1<<20 {
		t.Errorf("Size is %d, %v; the linked file of %d bytes counts once", size, err, len(content))
	}
}

func lstat(t *testing.T, dir, name string) os.FileInfo {
	t.Helper()
	info, err := os.Lstat(filepath.Join(dir, name))
	must(t, err)
	return info
}

func TestCloneEndsWithItsContext(t *testing.T) {
	src := t.TempDir()
	must(t, os.WriteFile(filepath.Join(src, "file"), []byte("x"), 0o600))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := volume.Clone(ctx, src, filepath.Join(t.TempDir(), "dst")); !errors.Is(err, context.Canceled) {
		t.Errorf("Clone with a cancelled context: %v", err)
	}
}
