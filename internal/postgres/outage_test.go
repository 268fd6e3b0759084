package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/postgres"
	"github.com/sluice-cd/sluice/internal/postgrestest"
)

// calls are all that a store can be asked; those that wait do not.
func calls(ctx context.Context, s *postgres.Store) map[string]error {
	found := map[string]error{}
	for _, err := range s.Read(ctx, "d", 0) {
		found["Read"] = err
	}
	for _, err := range s.Tail(ctx, 0) {
		found["Tail"] = err
		break
	}
	for _, err := range s.Arrivals(ctx) {
		found["Arrivals"] = err
		break
	}
	found["Append"] = s.Append(ctx, "new", 0, started("blog"))
	_, found["Deployments"] = s.Deployments(ctx, "")
	_, found["Unended"] = s.Unended(ctx)
	found["PutCheckpoint"] = s.PutCheckpoint(ctx, sluice.Checkpoint{ID: "c"})
	_, found["Checkpoint"] = s.Checkpoint(ctx, "c")
	_, found["Checkpoints"] = s.Checkpoints(ctx, "")
	found["DeleteCheckpoint"] = s.DeleteCheckpoint(ctx, "c")
	_, found["Lease"] = s.Lease(ctx, "new")
	_, found["Leased"] = s.Leased(ctx, "d")
	_, found["Send"] = s.Send(ctx, "d", sluice.Signal{Kind: sluice.SignalCancel})
	_, found["Letters"] = s.Letters(ctx, "d")
	found["Refuse"] = s.Refuse(ctx, 1, sluice.Failure{Code: sluice.Denied})
	_, found["Answer"] = s.Answer(ctx, 1) // it is settled now, so this does not wait
	_, found["Newest"] = s.Newest(ctx)
	return found
}

func TestOutage(t *testing.T) {
	t.Parallel()
	c := postgrestest.New(t)
	s := open(t, c.Address("postgres"))
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	must(t, s.Append(ctx, "d", 0, started("shop")))
	_, err := s.Send(ctx, "d", sluice.Signal{Kind: sluice.SignalPause})
	must(t, err)
	l, err := s.Lease(ctx, "d")
	must(t, err)
	feed := make(chan sluice.Entry, 10)
	go func() {
		defer close(feed)
		for cursor := sluice.Cursor(0); ctx.Err() == nil; {
			for e, err := range s.Tail(ctx, cursor) {
				if sluice.ErrorCode(err) == sluice.Unavailable { // it was looking, not waiting
					break
				}
				if err != nil {
					t.Error(err)
					return
				}
				cursor = e.Cursor
				feed <- e
			}
		}
	}()
	<-feed

	c.Down()
	<-l.Lost()
	for range 2 { // with connections that broke, and without any
		for call, err := range calls(ctx, s) {
			if sluice.ErrorCode(err) != sluice.Unavailable || sluice.ErrorHint(err) == "" {
				t.Errorf("%s while the database is away: %v", call, err)
			}
		}
	}
	wantError(t, s.Append(ctx, "d", 1, progressed("lost")), sluice.Conflict)
	must(t, l.Release())

	must(t, c.Up())
	for call, err := range calls(ctx, s) {
		if err != nil && !(call == "Checkpoint" && sluice.ErrorCode(err) == sluice.NotFound) {
			t.Errorf("%s when the database is back: %v", call, err)
		}
	}
	must(t, s.Append(ctx, "d", 1, progressed("back")))
	for _, want := range []sluice.DeploymentID{"new", "d"} {
		if e := <-feed; e.Deployment != want {
			t.Errorf("the feed goes on with %+v, want an event of %s", e, want)
		}
	}
}

// A connection breaks during an append. Whether the events are in the log or not, who tries again adds them once.
func TestAppendThatIsInDoubt(t *testing.T) {
	t.Parallel()
	name := postgrestest.Database(t, t.TempDir())
	p, address := newProxy(t, name)
	s := open(t, address)
	defer s.Close()
	ctx := t.Context()
	must(t, s.Append(ctx, "d", 0, started("shop")))
	for i, lost := range []string{"BEGIN\x00", "COMMIT\x00"} { // the answers that never arrive
		after, e := sluice.Seq(i+1), progressed(lost)
		p.set(func() { p.drop = lost })
		wantError(t, s.Append(ctx, "d", after, e), sluice.Unavailable)
		if sent := len(messages(t, s, "d")) == i+1; sent != (lost == "COMMIT\x00") {
			t.Errorf("without the answer %q the events are in the log: %v", lost, sent)
		}
		must(t, s.Append(ctx, "d", after, e))
		if err := s.Append(ctx, "d", after, e); sluice.ErrorCode(err) != sluice.Conflict {
			t.Errorf("an append that is not in doubt any more: %v", err)
		}
	}
	if diff := cmp.Diff([]string{"BEGIN\x00", "COMMIT\x00"}, messages(t, s, "d")); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

// Another process appended before the one in doubt tried again, so its events are not there and do not fit.
func TestAppendInDoubtThatCameTooLate(t *testing.T) {
	t.Parallel()
	name := postgrestest.Database(t, t.TempDir())
	p, address := newProxy(t, name)
	a, b := open(t, address), open(t, postgrestest.Shared(t).Address(name))
	defer a.Close()
	defer b.Close()
	must(t, a.Append(t.Context(), "d", 0, started("shop")))
	p.set(func() { p.drop = "BEGIN\x00" })
	wantError(t, a.Append(t.Context(), "d", 1, progressed("a")), sluice.Unavailable)
	must(t, b.Append(t.Context(), "d", 1, progressed("b")))
	if err := a.Append(t.Context(), "d", 1, progressed("a")); sluice.ErrorCode(err) != sluice.Conflict {
		t.Errorf("an append after the event of another process: %v", err)
	}
}

// While somebody keeps the append lock, others are refused after a while and not kept for ever.
func TestAppendLockIsNotWaitedForForEver(t *testing.T) {
	t.Parallel()
	address := database(t)
	s := open(t, address)
	defer s.Close()
	must(t, s.Append(t.Context(), "d", 0, started("shop")))
	free := lockAppends(t, address)
	wantError(t, s.Append(t.Context(), "d", 1, progressed("1")), sluice.Unavailable)
	free()
	must(t, s.Append(t.Context(), "d", 1, progressed("1")))
}
