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
	fill(t, filler, 256<<10)
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

// fill writes a file until only spare bytes of the disk are free.
func fill(t *testing.T, path string, spare int64) {
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
	if err := f.Truncate(size - spare); err != nil {
		t.Fatal(err)
	}
}

// What a person asks on a full disk is often: what happened?
func TestAFullDiskIsRead(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, path string){
		"after the store was closed": func(t *testing.T, path string) {
			s := open(t, path)
			deploy(t, s, "one", 20)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		},
		"after a kill": func(t *testing.T, path string) {
			from := killed(t)
			for _, suffix := range []string{"", "-wal", "-peers"} {
				data, err := os.ReadFile(from + suffix)
				if err != nil {
					t.Fatal(err)
				}
				writeFile(string(data))(t, path+suffix)
			}
		},
		"while another process has it open": func(t *testing.T, path string) {
			s := open(t, path)
			deploy(t, s, "one", 20)
			t.Cleanup(func() { _ = s.Close() }) // before the disk goes; it cannot be folded
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := smallDisk(t)
			path := filepath.Join(dir, "sluice.db")
			prepare(t, path)
			fill(t, filepath.Join(dir, "filler"), 0)
			h, err := readAll(path)
			if err != nil || len(h.Events["one"]) != 20 {
				t.Errorf("%d events, %v", len(h.Events["one"]), err)
			}
		})
	}
}
