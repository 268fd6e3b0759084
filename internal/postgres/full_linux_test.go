package postgres_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/postgrestest"
)

func TestFullDisk(t *testing.T) {
	t.Parallel()
	c := postgrestest.Shared(t)
	dir := smallDisk(t, c)
	address := database(t) // dropped before the disk is taken away
	s := open(t, address)
	defer s.Close()
	filler := filepath.Join(filepath.Dir(dir), "filler")
	must(t, os.WriteFile(filler, make([]byte, 4<<20), 0o600))
	must(t, s.Append(t.Context(), "d", 0, started("shop")))
	execute(t, address, "CREATE TABLESPACE small LOCATION '"+dir+"'")
	execute(t, address, "ALTER TABLE events SET TABLESPACE small")
	var err error
	n := 1
	for ; err == nil; n++ {
		err = s.Append(t.Context(), "d", sluice.Seq(n), progressed(noise(100_000)))
	}
	wantError(t, err, sluice.Exhausted)
	if got := len(messages(t, s, "d")) + 1; got != n-1 {
		t.Fatalf("%d events are there, %d were acknowledged", got, n-1)
	}
	must(t, os.Remove(filler))
	must(t, s.Append(t.Context(), "d", sluice.Seq(n-1), progressed("there is space again")))
}

// noise is text that cannot be compressed much.
func noise(size int) string {
	r, text := rand.New(rand.NewPCG(1, 2)), make([]byte, size)
	for i := range text {
		text[i] = '0' + byte(r.IntN(64))
	}
	return string(text)
}

// smallDisk mounts a file system of a few megabytes, which takes the right to mount, and returns a directory of the
// server's in it.
func smallDisk(t *testing.T, c *postgrestest.Cluster) string {
	t.Helper()
	disk, err := os.MkdirTemp(c.Dir, "disk")
	must(t, err)
	must(t, os.Chmod(disk, 0o755))
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=12m"); err != nil {
		t.Skipf("a disk cannot be filled here: %v", err)
	}
	t.Cleanup(func() {
		must(t, c.Execute(context.Background(), "postgres", "DROP TABLESPACE IF EXISTS small"))
		must(t, syscall.Unmount(disk, 0))
	})
	dir, owner := filepath.Join(disk, "small"), c.Program("true").SysProcAttr.Credential
	must(t, os.Mkdir(dir, 0o700))
	if owner != nil {
		must(t, os.Chown(dir, int(owner.Uid), int(owner.Gid)))
	}
	return dir
}
