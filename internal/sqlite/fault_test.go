package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/sqlite"
)

// wantError fails the test unless err has the code and a hint.
func wantError(t *testing.T, err error, want sluice.Code) {
	t.Helper()
	if got := sluice.ErrorCode(err); got != want {
		t.Fatalf("code is %q (%v), want %q", got, err, want)
	}
	if sluice.ErrorHint(err) == "" {
		t.Errorf("no hint: %v", err)
	}
}

func started(application string) sluice.Event {
	return sluice.Event{At: time.Unix(1, 0).UTC(), Kind: sluice.DeploymentStarted,
		Plan: &sluice.Plan{Application: application}}
}

func progressed(message string) sluice.Event {
	return sluice.Event{At: time.Unix(2, 0).UTC(), Kind: sluice.StepProgressed, Step: "a/apply",
		Progress: &sluice.Progress{Message: message}}
}

// count returns how many events the deployment has.
func count(t *testing.T, s sluice.Log, id sluice.DeploymentID) int {
	t.Helper()
	n := 0
	for _, err := range s.Read(context.Background(), id, 0) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

func TestOpenRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(t *testing.T, path string)
		want    sluice.Code
	}{
		"a file that is no database": {writeFile("This is a letter, not a database.\n" + strings.Repeat("x", 4096)),
			sluice.Invalid},
		"another program's database":    {execute("CREATE TABLE cats (name TEXT)"), sluice.Invalid},
		"a database of a newer version": {newer, sluice.Unsupported},
		"a damaged database":            {damaged, sluice.Invalid},
		"a directory that is not there": {removeDirectory, sluice.NotFound},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "store", "sluice.db")
			if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			test.prepare(t, path)
			_, err := openAndRead(path)
			wantError(t, err, test.want)
			if !strings.Contains(err.Error(), path) {
				t.Errorf("the message does not name the file: %v", err)
			}
		})
	}
}

// openAndRead opens the file and reads all of it.
func openAndRead(path string) (int, error) {
	s, err := sqlite.Open(context.Background(), path)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	n := 0
	for _, err := range s.Read(context.Background(), "d", 0) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func writeFile(content string) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func execute(statements string) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec(statements); err != nil {
			t.Fatal(err)
		}
	}
}

func newer(t *testing.T, path string) {
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	execute("PRAGMA user_version = 1000")(t, path)
}

// damaged writes over the middle of a store's file.
func damaged(t *testing.T, path string) {
	s := open(t, path)
	if err := s.Append(context.Background(), "d", 0, started("shop")); err != nil {
		t.Fatal(err)
	}
	for n := 1; n < 500; n++ {
		if err := s.Append(context.Background(), "d", sluice.Seq(n), progressed(strings.Repeat("x", 200))); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	// The first page holds the header, by which the file is still known as a store.
	if _, err := f.WriteAt(bytes.Repeat([]byte{0xff}, int(info.Size())-4096), 4096); err != nil {
		t.Fatal(err)
	}
}

func removeDirectory(t *testing.T, path string) {
	if err := os.Remove(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
}

func TestReadOnly(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "a store?#%41.db")
	if _, err := sqlite.OpenReadOnly(ctx, path); sluice.ErrorCode(err) != sluice.NotFound {
		t.Fatalf("an absent file: %v", err)
	}
	w := open(t, path)
	if err := w.Append(ctx, "d", 0, started("shop")); err != nil {
		t.Fatal(err)
	}
	r, err := sqlite.OpenReadOnly(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Append(ctx, "d", 1, progressed("seen at once")); err != nil {
		t.Fatal(err)
	}
	if got := count(t, r, "d"); got != 2 {
		t.Errorf("the reader sees %d events, want 2", got)
	}
	for _, err := range []error{
		r.Append(ctx, "d", 2, progressed("no")), r.PutCheckpoint(ctx, sluice.Checkpoint{ID: "c"}),
		r.DeleteCheckpoint(ctx, "c"),
	} {
		if sluice.ErrorCode(err) != sluice.Denied {
			t.Errorf("a change through the reader: %v", err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := count(t, r, "d"); got != 2 {
		t.Errorf("after the writer closed the reader sees %d events, want 2", got)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r, err = sqlite.OpenReadOnly(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got := count(t, r, "d"); got != 2 {
		t.Errorf("a reader without a writer sees %d events, want 2", got)
	}
}

// Two processes may write. Appends to the same deployment must end as conflicts, never as gaps or overwrites, and must
// not spoil those that share their transaction.
func TestSecondWriter(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "sluice.db")
	a, b := open(t, path), open(t, path)
	defer a.Close()
	defer b.Close()
	for _, id := range []sluice.DeploymentID{"contested", "neighbour"} {
		if err := a.Append(ctx, id, 0, started(string(id))); err != nil {
			t.Fatal(err)
		}
	}
	const last = 100
	neighbour := make(chan error, 1)
	go func() {
		var err error
		for n := sluice.Seq(1); n < last && err == nil; n++ {
			err = a.Append(ctx, "neighbour", n, progressed("undisturbed"))
		}
		neighbour <- err
	}()
	for n := sluice.Seq(1); n < last; n++ {
		if err := b.Append(ctx, "contested", n, progressed("b")); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := a.Append(ctx, "contested", n, progressed("a")); sluice.ErrorCode(err) != sluice.Conflict {
				t.Fatalf("the other writer's event was not noticed: %v", err)
			}
		}
	}
	if err := <-neighbour; err != nil {
		t.Fatal(err)
	}
	for _, id := range []sluice.DeploymentID{"contested", "neighbour"} {
		if got := count(t, a, id); got != last {
			t.Errorf("%s has %d events, want %d", id, got, last)
		}
	}
}

func TestFileIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sluice.db")
	s := open(t, path)
	defer s.Close()
	if err := s.Append(context.Background(), "d", 0, started("shop")); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm", "-peers"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %v, want 0600", info.Name(), mode)
		}
	}
}
