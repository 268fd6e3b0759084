package storetest

import (
	"context"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

// testReopen closes and opens again what was written, several times, and goes on writing.
func testReopen(t *testing.T, open Open) {
	ctx, dir := context.Background(), t.TempDir()
	reopened := func(use func(sluice.Store)) {
		s := open(t, dir)
		use(s)
		must(t, s.Close())
	}
	reopened(func(s sluice.Store) {
		must(t, s.Append(ctx, "d1", 0, started("shop", 0), progressed(1)))
		must(t, s.PutCheckpoint(ctx, checkpoint("c1", "shop", 0)))
	})
	reopened(func(s sluice.Store) {
		wantLog(t, s, "d1", started("shop", 0), progressed(1))
		wantCheckpoint(t, s, checkpoint("c1", "shop", 0))
		wantCode(t, s.Append(ctx, "d1", 1, progressed(9)), sluice.Conflict)
		wantCode(t, s.Append(ctx, "d2", 0, started("shop", 2)), sluice.Conflict)
		must(t, s.Append(ctx, "d1", 2, ended(sluice.StatusSucceeded, 2)))
	})
	reopened(func(s sluice.Store) {
		wantCode(t, s.Append(ctx, "d1", 3, progressed(3)), sluice.Conflict)
		must(t, s.Append(ctx, "d2", 0, started("shop", 4)))
		unended, err := s.Unended(ctx)
		must(t, err)
		if diff := cmp.Diff([]sluice.DeploymentID{"d2"}, unended); diff != "" {
			t.Errorf("unended (-want +got):\n%s", diff)
		}
	})
	t.Run("loses nothing while other processes come and go", func(t *testing.T) { reopenElsewhere(t, open) })
	t.Run("is made once by many", func(t *testing.T) { reopenAtOnce(t, open) })
}

// reopenElsewhere opens a store twice. Another process that then closes it must not believe that it was the last.
func reopenElsewhere(t *testing.T, open Open) {
	if dir := os.Getenv(processDir); dir != "" {
		must(t, open(t, dir).Close())
		say(t, "closed")
		return
	}
	dir, ctx := t.TempDir(), context.Background()
	a := opened(t, open, dir)
	must(t, a.Append(ctx, "d1", 0, started("shop", 0)))
	b := opened(t, open, dir)
	p := spawn(t, dir)
	if _, ok := p.hear(); !ok {
		t.Fatalf("the process ended: %s", p.output.String())
	}
	_ = p.cmd.Wait() // what it wrote is shown by the logs
	must(t, a.Append(ctx, "d1", 1, progressed(1)))
	for _, s := range []sluice.Store{a, b, opened(t, open, dir)} {
		wantLog(t, s, "d1", started("shop", 0), progressed(1))
	}
}

// reopenAtOnce opens a new store many times at once.
func reopenAtOnce(t *testing.T, open Open) {
	for range 5 {
		dir := t.TempDir()
		inParallel(func(int) { opened(t, open, dir) })
	}
}

// testClose closes twice, and uses what is closed.
func testClose(t *testing.T, open Open) {
	s := open(t, t.TempDir())
	must(t, s.Append(context.Background(), "d1", 0, started("shop", 0)))
	must(t, s.Close())
	must(t, s.Close())
	if err := s.Append(context.Background(), "d1", 1, progressed(1)); err == nil {
		t.Error("a closed store took an event")
	}
	for _, err := range s.Read(context.Background(), "d1", 0) {
		if err == nil {
			t.Error("a closed store yielded an event")
		}
	}
	if answer, err := s.Answer(endedContext(), 1); err == nil {
		t.Errorf("a closed store knows the answer %+v", answer)
	}
	if _, err := s.Lease(context.Background(), "d1"); sluice.ErrorCode(err) != sluice.Cancelled {
		t.Errorf("a lease of a closed store: %v", err)
	}
}
