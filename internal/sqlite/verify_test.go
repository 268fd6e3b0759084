package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/sqlite"
)

// history is what a person can read in a store.
type history struct {
	Deployments []sluice.Deployment
	Events      map[sluice.DeploymentID][]sluice.Event
	Checkpoints []sluice.Checkpoint
	Tokens      []sluice.Token
	Audit       []sluice.AuditEntry
}

// readAll opens the file for reading and reads everything.
func readAll(path string) (history, error) {
	h, ctx := history{Events: map[sluice.DeploymentID][]sluice.Event{}}, context.Background()
	s, err := sqlite.OpenReadOnly(ctx, path)
	if err != nil {
		return h, err
	}
	defer s.Close()
	if h.Deployments, err = s.Deployments(ctx, ""); err != nil {
		return h, err
	}
	for _, d := range h.Deployments {
		for e, err := range s.Read(ctx, d.ID, 0) {
			if err != nil {
				return h, err
			}
			h.Events[d.ID] = append(h.Events[d.ID], e)
		}
	}
	if h.Checkpoints, err = s.Checkpoints(ctx, ""); err != nil {
		return h, err
	}
	if h.Tokens, err = s.Tokens(ctx); err != nil {
		return h, err
	}
	h.Audit, err = s.Entries(ctx, "", 0, 100)
	return h, err
}

// deploy writes a deployment of n events that has ended.
func deploy(t *testing.T, s sluice.Store, id string, n int) {
	t.Helper()
	if err := s.Append(t.Context(), sluice.DeploymentID(id), 0, started("app-"+id)); err != nil {
		t.Fatal(err)
	}
	for i := 1; i < n-1; i++ {
		message := fmt.Sprintf("step %d %s", i, strings.Repeat("x", i*7%90))
		if err := s.Append(t.Context(), sluice.DeploymentID(id), sluice.Seq(i), progressed(message)); err != nil {
			t.Fatal(err)
		}
	}
	end := sluice.Event{At: time.Unix(3, 0).UTC(), Kind: sluice.DeploymentEnded, Outcome: sluice.StatusSucceeded}
	if err := s.Append(t.Context(), sluice.DeploymentID(id), sluice.Seq(n-1), end); err != nil {
		t.Fatal(err)
	}
}

// closed makes a store with two deployments and closes it, so that everything is in one file.
func closed(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "sluice.db")
	s := open(t, path)
	deploy(t, s, "one", 20)
	deploy(t, s, "two", 30)
	if err := s.PutCheckpoint(t.Context(), sluice.Checkpoint{ID: "before", Image: "mongo:6.0.1"}); err != nil {
		t.Fatal(err)
	}
	if err := s.PutToken(t.Context(), sluice.Token{ID: "t1", Name: "nightly", Hash: make([]byte, 32)}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ana", "bob", "carol"} {
		e := sluice.AuditEntry{At: time.Unix(4, 0).UTC(), Verb: "approve", By: sluice.Actor{Name: name}}
		if err := s.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAFlippedBitIsNoticedOrHarmless(t *testing.T) {
	path := closed(t)
	want, err := readAll(path)
	if err != nil {
		t.Fatal(err)
	}
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	noticed := 0
	for at := 0; at < len(sound); at += 151 {
		damaged := append([]byte{}, sound...)
		damaged[at] ^= 1 << (at % 8)
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := readAll(path)
		if err != nil {
			noticed++
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("byte %d is flipped, and nothing says so (-want +got):\n%s", at, diff)
		}
	}
	if noticed == 0 {
		t.Error("no flipped bit was noticed")
	}
}

func TestDamageIsReported(t *testing.T) {
	change := func(from, to string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			changed := strings.ReplaceAll(string(data), from, to)
			if changed == string(data) {
				t.Fatalf("the store does not hold %q", from)
			}
			writeFile(changed)(t, path)
		}
	}
	for name, damage := range map[string]func(*testing.T, string){
		"an event says something else":       change("step 7 ", "step 8 "),
		"a checkpoint says something else":   execute("UPDATE checkpoints SET body = replace(body, '6.0.1', '6.0.2')"),
		"an event is missing":                execute("DELETE FROM events WHERE seq = 9"),
		"the latest event is missing":        execute("DELETE FROM events WHERE deployment = 2 AND seq = 30"),
		"every event is missing":             execute("DELETE FROM events; DELETE FROM deployments"),
		"an event belongs to another":        execute("UPDATE events SET deployment = 9 WHERE seq = 12 AND deployment = 1"),
		"the list names another outcome":     execute("UPDATE deployments SET outcome = 'failed' WHERE id = 'one'"),
		"the list says it has not ended":     execute("UPDATE deployments SET ended_at = NULL WHERE id = 'one'"),
		"the list names another application": execute("UPDATE deployments SET application = 'b' WHERE id = 'one'"),
		"a token opens for another secret":   execute("UPDATE tokens SET hash = zeroblob(31)"),
		"a token has other roles":            execute("UPDATE tokens SET body = replace(body, 'nightly', 'admin')"),
		"an audit entry names another":       execute("UPDATE audit SET body = replace(body, 'bob', 'eve')"),
		"an audit entry has another's place": execute("UPDATE audit SET number = 9 WHERE number = 3"),
		"an audit entry is missing":          execute("DELETE FROM audit WHERE number = 2"),
		"the first audit entry is missing":   execute("DELETE FROM audit WHERE number = 1"),
		"the file is empty":                  writeFile(""),
		"the file ends in the middle": func(t *testing.T, path string) {
			if err := os.Truncate(path, 8192); err != nil {
				t.Fatal(err)
			}
		},
		"the file is another, new store": func(t *testing.T, path string) {
			other := filepath.Join(t.TempDir(), "other.db")
			if err := open(t, other).Close(); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(other, path); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := closed(t)
			damage(t, path)
			_, err := sqlite.OpenReadOnly(t.Context(), path)
			wantError(t, err, sluice.Invalid)
			if !strings.Contains(err.Error(), path) {
				t.Errorf("the message does not name the file: %v", err)
			}
			_, err = sqlite.Open(t.Context(), path)
			wantError(t, err, sluice.Invalid)
		})
	}
}

// A process that was killed leaves its events in the write-ahead log.
func TestALostEndIsReported(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"the write-ahead log is gone":    func(path string) error { return os.Remove(path + "-wal") },
		"the write-ahead log is cut off": func(path string) error { return os.Truncate(path+"-wal", 20_000) },
		"a byte of it is flipped": func(path string) error {
			data, err := os.ReadFile(path + "-wal")
			if err == nil {
				data[len(data)/2] ^= 4
				err = os.WriteFile(path+"-wal", data, 0o600)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := killed(t)
			if err := damage(path); err != nil {
				t.Fatal(err)
			}
			_, err := sqlite.OpenReadOnly(t.Context(), path)
			wantError(t, err, sluice.Invalid)
			_, err = sqlite.Open(t.Context(), path)
			wantError(t, err, sluice.Invalid)
		})
	}
	t.Run("nothing is damaged", func(t *testing.T) {
		if h, err := readAll(killed(t)); err != nil || len(h.Events["one"]) != 20 {
			t.Errorf("%d events, %v", len(h.Events["one"]), err)
		}
	})
	t.Run("a person accepts it", func(t *testing.T) {
		path := killed(t)
		for _, suffix := range []string{"-wal", "-peers"} {
			if err := os.Remove(path + suffix); err != nil {
				t.Fatal(err)
			}
		}
		s := open(t, path)
		defer s.Close()
		if err := s.Verify(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// killed copies the files of a store while it is open, which is what a kill leaves of them.
func killed(t *testing.T) (path string) {
	t.Helper()
	from := filepath.Join(t.TempDir(), "sluice.db")
	s := open(t, from)
	defer s.Close()
	deploy(t, s, "one", 20)
	path = filepath.Join(t.TempDir(), "sluice.db")
	for _, suffix := range []string{"", "-wal", "-peers"} {
		data, err := os.ReadFile(from + suffix)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(string(data))(t, path+suffix)
	}
	return path
}

// The store of a version before checksums is read as it is, and gets them when it is opened for writing.
func TestChecksumsOfAnEarlierVersion(t *testing.T) {
	path := closed(t)
	want, err := readAll(path)
	if err != nil {
		t.Fatal(err)
	}
	execute(`ALTER TABLE events DROP COLUMN sum; ALTER TABLE checkpoints DROP COLUMN sum;
		DROP TABLE tokens; DROP TABLE audit; DROP TABLE readers; PRAGMA user_version = 2`)(t, path)
	want.Tokens, want.Audit = nil, nil
	if got, err := readAll(path); err != nil || cmp.Diff(want, got) != "" {
		t.Errorf("before the upgrade: %v, %s", err, cmp.Diff(want, got))
	}
	s := open(t, path)
	deploy(t, s, "three", 3)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	execute(`UPDATE events SET body = replace(body, 'step 3', 'step 4') WHERE seq = 4`)(t, path)
	_, err = readAll(path)
	wantError(t, err, sluice.Invalid)
}
