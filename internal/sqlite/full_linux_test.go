package sqlite_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sluice-cd/sluice"
)

func TestFullDisk(t *testing.T) {
	dir := smallDisk(t)
	ctx, filler := context.Background(), filepath.Join(dir, "filler")
	s := open(t, filepath.Join(dir, "sluice.db"))
	defer s.Close()
	if err := s.Append(ctx, "d", 0, started("shop")); err != nil {
		t.Fatal(err)
	}
	fill(t, filler)
	var err error
	n := 1
	for ; err == nil; n++ {
		err = s.Append(ctx, "d", sluice.Seq(n), progressed(strings.Repeat("x", 100_000)))
	}
	wantError(t, err, sluice.Exhausted)
	wantError(t, s.PutCheckpoint(ctx, sluice.Checkpoint{ID: "c", Image: strings.Repeat("x", 1<<20)}), sluice.Exhausted)
	if got := count(t, s, "d"); got != n-1 {
		t.Fatalf("%d events are there, %d were acknowledged", got, n-1)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(ctx, "d", sluice.Seq(n-1), progressed("there is space again")); err != nil {
		t.Fatal(err)
	}
	if got := count(t, s, "d"); got != n {
		t.Fatalf("%d events are there, want %d", got, n)
	}
}

// smallDisk mounts a file system of a few megabytes, which takes the right to mount.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("a disk cannot be filled here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill writes a file until the disk is full but for a little.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 64<<10)
	size := int64(0)
	for err == nil {
		var n int
		n, err = f.Write(block)
		size += int64(n)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if err := f.Truncate(size - 256<<10); err != nil {
		t.Fatal(err)
	}
}
