package sqlite_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/sqlite"
)

// A store that looked for news of others only now and then would need half a minute for this.
func TestOtherStoresAreWokenAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sluice.db")
	a, b := open(t, path), open(t, path)
	defer a.Close()
	defer b.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := a.Append(ctx, "d", 0, started("shop")); err != nil {
		t.Fatal(err)
	}
	n := sluice.Seq(0)
	for e, err := range b.Tail(ctx, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if n = e.Event.Seq; n == 30 {
			break
		}
		if err := a.Append(ctx, "d", n, progressed("news")); err != nil {
			t.Fatal(err)
		}
	}
	if n != 30 {
		t.Errorf("only %d events were noticed", n)
	}
}

// The previous version had one migration, and no inbox.
func TestAStoreOfThePreviousVersion(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "sluice.db")
	schema, err := os.ReadFile("migrations/1_log.sql")
	if err != nil {
		t.Fatal(err)
	}
	execute(string(schema)+`; PRAGMA application_id = 0x536c6365; PRAGMA user_version = 1;
		INSERT INTO deployments (number, id, application, started_at, started_by) VALUES (7, 'd', 'shop', 1000, 'ana');
		INSERT INTO events (deployment, seq, body) VALUES
			(7, 1, '{"seq":1,"at":"1970-01-01T00:00:01Z","kind":"deploymentStarted","actor":{"name":"ana"},
				"plan":{"application":"shop"}}'),
			(7, 2, '{"seq":2,"at":"1970-01-01T00:00:02Z","kind":"signalReceived","signal":{"kind":"cancel"}}')`)(t, path)
	r, err := sqlite.OpenReadOnly(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got := count(t, r, "d"); got != 2 {
		t.Errorf("before it is brought up to date %d events are read, want 2", got)
	}
	s := open(t, path)
	defer s.Close()
	unended, err := s.Unended(ctx)
	if err != nil || len(unended) != 1 {
		t.Fatalf("unended: %v, %v", unended, err)
	}
	if letters, err := s.Letters(ctx, "d"); err != nil || len(letters) != 0 {
		t.Errorf("letters: %v, %v", letters, err)
	}
	letter, err := s.Send(ctx, "d", sluice.Signal{Kind: sluice.SignalApprove})
	if err != nil {
		t.Fatal(err)
	}
	received := sluice.Event{At: time.Unix(3, 0), Kind: sluice.SignalReceived, Signal: &sluice.Signal{}, Letter: letter}
	if err := s.Append(ctx, "d", 2, received); err != nil {
		t.Fatal(err)
	}
	if got := count(t, r, "d"); got != 3 {
		t.Errorf("the reader that was opened before sees %d events, want 3", got)
	}
}
