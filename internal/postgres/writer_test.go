package postgres

import (
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/postgrestest"
)

// A process is stopped between the two round trips of a transaction, with the append lock. The server takes it away.
func TestStoppedWriterDoesNotStopOthers(t *testing.T) {
	t.Parallel()
	address := postgrestest.Shared(t).Address(postgrestest.Database(t, t.TempDir()))
	var stores [2]*Store
	for i := range stores {
		s, err := Open(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		stores[i] = s
	}
	c, err := stores[0].pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	stopped, err := begin(t.Context(), c.Conn(), &ask{})
	if err != nil {
		t.Fatal(err)
	}
	first := sluice.Event{At: time.Unix(1, 0), Kind: sluice.DeploymentStarted, Plan: &sluice.Plan{Application: "shop"}}
	if err := stores[1].Append(t.Context(), "d", 0, first); err != nil {
		t.Errorf("an append behind a process that is stopped: %v", err)
	}
	stopped.topics = []topic{events}
	if stopped.commit(t.Context(), c.Conn()) == nil {
		t.Error("the process that was stopped committed")
	}
}
