package sqlite

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluice-cd/sluice"
)

func opened(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // most are closed twice
	return s
}

// Two ids may share a byte: one of them has to wait, and to release it must not free the other.
func TestDeploymentsThatShareAByte(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sluice.db")
	a, b := opened(t, path), opened(t, path)
	first, err := a.peers.lease(7)
	if err != nil || first == nil {
		t.Fatal(first, err)
	}
	for _, s := range []*Store{a, b} {
		if second, err := s.peers.lease(7); err != nil || second != nil {
			t.Errorf("the byte is locked twice: %v, %v", second, err)
		}
	}
	if err := first.Release(); err != nil {
		t.Fatal(err)
	}
	if second, err := b.peers.lease(7); err != nil || second == nil {
		t.Errorf("the byte stays locked: %v, %v", second, err)
	}
}

// A process that is about to be started has the file open too, until its program runs.
func TestLeasesEndWithTheStoreAlsoWhileAProcessStarts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sluice.db")
	a, b := opened(t, path), opened(t, path)
	if _, err := a.Lease(t.Context(), "d"); err != nil {
		t.Fatal(err)
	}
	var child int
	c, err := a.peers.file.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Control(func(fd uintptr) { child, err = unix.Dup(int(fd)) }); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(child)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Lease(t.Context(), "d"); err != nil {
		t.Error(err)
	}
}

// Who removes the file parts those who have it open from those who come later.
func TestTheFileOfTheLeasesIsRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sluice.db")
	a := opened(t, path)
	l, err := a.Lease(t.Context(), "d")
	if err != nil {
		t.Fatal(err)
	}
	a.peers.listen()
	if err := os.Remove(path + "-peers"); err != nil {
		t.Fatal(err)
	}
	<-l.Lost()
	if _, err := opened(t, path).Lease(t.Context(), "d"); err != nil {
		t.Errorf("another store: %v", err)
	}
	if _, err := a.Lease(t.Context(), "e"); sluice.ErrorCode(err) != sluice.Unavailable {
		t.Errorf("a lease in a file that nobody finds: %v", err)
	}
}

// A link to the file of the store is the same store.
func TestLeasesOfAStoreBehindALink(t *testing.T) {
	dir := t.TempDir()
	a := opened(t, filepath.Join(dir, "sluice.db"))
	link := filepath.Join(dir, "link")
	if err := os.Symlink("sluice.db", link); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Lease(t.Context(), "d"); err != nil {
		t.Fatal(err)
	}
	if _, err := opened(t, link).Lease(t.Context(), "d"); sluice.ErrorCode(err) != sluice.Conflict {
		t.Errorf("the deployment is leased twice: %v", err)
	}
}

// What waits for an answer leaves nothing behind.
func TestTopicsAreForgotten(t *testing.T) {
	ctx, s := t.Context(), opened(t, filepath.Join(t.TempDir(), "sluice.db"))
	plan := sluice.Event{At: time.Unix(1, 0), Kind: sluice.DeploymentStarted, Plan: &sluice.Plan{Application: "shop"}}
	if err := s.Append(ctx, "d", 0, plan); err != nil {
		t.Fatal(err)
	}
	letter, err := s.Send(ctx, "d", sluice.Signal{Kind: sluice.SignalCancel})
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.Answer(ended, letter); err != nil {
		t.Fatal(err)
	}
	if n := len(s.peers.topics); n != 0 {
		t.Errorf("%d topics are kept", n)
	}
}
