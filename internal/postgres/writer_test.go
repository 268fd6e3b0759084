package postgres

import (
	"slices"
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

// A connection on which nothing is heard for a while is tried, and then used on.
func TestListenerThatHearsNothingForAWhile(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), postgrestest.Shared(t).Address(postgrestest.Database(t, t.TempDir())))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, err := s.dedicated(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer hangUp(c)
	var heard []topic
	listen := func() {
		if !hear(t.Context(), c, func(topics ...topic) { heard = append(heard, topics...) }) {
			t.Fatal("the connection broke")
		}
	}
	if _, err := c.Exec(t.Context(), "LISTEN "+channel); err != nil {
		t.Fatal(err)
	}
	listen()
	if len(heard) != 0 {
		t.Errorf("it heard %v", heard)
	}
	if err := s.execute(t.Context(), "SELECT pg_notify($1, $2)", channel, encode([]topic{events, 7, events})); err != nil {
		t.Fatal(err)
	}
	listen()
	if want := []topic{events, 7}; !slices.Equal(heard, want) {
		t.Errorf("it heard %v, want %v", heard, want)
	}
	many := make([]topic, longest)
	for i := range many {
		many[i] = topic(i + 1)
	}
	if got := decode(encode(many)); !slices.Equal(got, []topic{all}) {
		t.Errorf("%d topics are told as %d", len(many), len(got))
	}
}
