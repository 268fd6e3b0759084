package storetest

import (
	"context"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sluice-cd/sluice"
)

func testTail(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, Open){
		"yields the events of all deployments in order":   tailOrder,
		"goes on with what is appended later":             tailFollows,
		"can be left and taken up again, also much later": tailCursor,
		"of a long feed is complete":                      tailLong,
		"sees every commit while many append":             tailConcurrent,
		"sees what another process appends":               tailProcess,
		"ends without an error when ctx does":             tailCancelled,
	} {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

// take returns the next n entries after the cursor. It waits for those that are not there yet.
func take(t *testing.T, s sluice.Tail, after sluice.Cursor, n int) (list []sluice.Entry) {
	t.Helper()
	if n == 0 {
		return nil
	}
	for e, err := range s.Tail(soon(t), after) {
		must(t, err)
		if e.Cursor <= after {
			t.Fatalf("the cursor %d follows %d", e.Cursor, after)
		}
		after = e.Cursor
		if list = append(list, e); len(list) == n {
			return list
		}
	}
	t.Fatalf("the feed ended after %d entries, want %d", len(list), n)
	return nil
}

// wantEntries compares deployments and events; cursors are the store's own.
func wantEntries(t *testing.T, got []sluice.Entry, want ...sluice.Entry) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(sluice.Entry{}, "Cursor"), cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("entries (-want +got):\n%s", diff)
	}
}

func entry(id sluice.DeploymentID, seq sluice.Seq, e sluice.Event) sluice.Entry {
	e.Seq = seq
	return sluice.Entry{Deployment: id, Event: e}
}

func wantNewest(t *testing.T, s sluice.Tail, want sluice.Cursor) {
	t.Helper()
	got, err := s.Newest(context.Background())
	must(t, err)
	if got != want {
		t.Fatalf("the newest cursor is %d, want %d", got, want)
	}
}

func tailOrder(t *testing.T, open Open) {
	a, b := pair(t, open)
	ctx := context.Background()
	wantNewest(t, a, 0)
	must(t, a.Append(ctx, "d1", 0, started("shop", 0)))
	must(t, b.Append(ctx, "d2", 0, started("blog", 1), progressed(2)))
	must(t, a.Append(ctx, "d1", 1, progressed(3), ended(sluice.StatusFailed, 4)))
	for _, s := range []sluice.Store{a, b} {
		list := take(t, s, 0, 5)
		wantEntries(t, list, entry("d1", 1, started("shop", 0)), entry("d2", 1, started("blog", 1)),
			entry("d2", 2, progressed(2)), entry("d1", 2, progressed(3)), entry("d1", 3, ended(sluice.StatusFailed, 4)))
		wantNewest(t, s, list[4].Cursor)
		wantEntries(t, take(t, s, list[2].Cursor, 2), list[3:]...)
	}
}

func tailFollows(t *testing.T, open Open) {
	a, b := pair(t, open)
	ctx, cancel := context.WithCancel(soon(t))
	defer cancel()
	must(t, a.Append(ctx, "d1", 0, started("shop", 0)))
	newest, err := b.Newest(ctx)
	must(t, err)
	must(t, a.Append(ctx, "d1", 1, progressed(1)))
	n := 1
	for e, err := range b.Tail(ctx, newest) {
		must(t, err)
		wantEntries(t, []sluice.Entry{e}, entry("d1", sluice.Seq(n+1), progressed(n)))
		if n++; n == 20 {
			cancel()
			continue
		}
		must(t, []sluice.Store{a, b}[n%2].Append(ctx, "d1", sluice.Seq(n), progressed(n)))
	}
	if n != 20 {
		t.Errorf("the feed ended after %d entries", n-1)
	}
}

func tailCursor(t *testing.T, open Open) {
	ctx, dir := context.Background(), t.TempDir()
	s := open(t, dir)
	must(t, s.Append(ctx, "d1", 0, started("shop", 0), progressed(1), progressed(2)))
	list := take(t, s, 0, 2)
	must(t, s.Close())
	s = open(t, dir)
	must(t, s.Append(ctx, "d1", 3, progressed(3)))
	must(t, s.Close())
	s = opened(t, open, dir)
	wantEntries(t, take(t, s, list[1].Cursor, 2), entry("d1", 3, progressed(2)), entry("d1", 4, progressed(3)))
}

func tailLong(t *testing.T, open Open) {
	s := fresh(t, open)
	want := long(t, s)
	for i, e := range take(t, s, 0, len(want)) {
		if e.Event.Seq != sluice.Seq(i+1) || e.Deployment != "d1" {
			t.Fatalf("entry %d is event %d of %s", i, e.Event.Seq, e.Deployment)
		}
	}
}

func tailConcurrent(t *testing.T, open Open) {
	a, b := pair(t, open)
	const each = 40
	followers := []sluice.Store{a, b, a, b, a, b} // of one store share what they read, perhaps
	done := make(chan []sluice.Entry, len(followers))
	for _, s := range followers {
		go func() { done <- take(t, s, 0, appenders*each) }()
	}
	inParallel(func(i int) {
		s := []sluice.Store{a, b}[i%2]
		for n := range each {
			e := progressed(n)
			if n == 0 {
				e = started(application(i), 0)
			}
			if err := s.Append(context.Background(), deployment(i), sluice.Seq(n), e); err != nil {
				t.Error(err)
				return
			}
		}
	})
	want := take(t, a, 0, appenders*each)
	last := map[sluice.DeploymentID]sluice.Seq{}
	for _, e := range want {
		if e.Event.Seq != last[e.Deployment]+1 {
			t.Fatalf("event %d of %s follows %d", e.Event.Seq, e.Deployment, last[e.Deployment])
		}
		last[e.Deployment] = e.Event.Seq
	}
	for range followers {
		if diff := cmp.Diff(want, <-done); diff != "" {
			t.Errorf("what was seen meanwhile (-afterwards +meanwhile):\n%s", diff)
		}
	}
}

// tailProcess follows a process that appends until it is killed.
func tailProcess(t *testing.T, open Open) {
	if dir := os.Getenv(processDir); dir != "" {
		appendUntilKilled(t, open(t, dir))
		return
	}
	dir := t.TempDir()
	s := opened(t, open, dir)
	cursor := sluice.Cursor(0)
	seen := map[sluice.DeploymentID]int{}
	for range 2 {
		acknowledged := 0
		for _, n := range killAfter(t, dir, 40) {
			acknowledged += n
		}
		total := 0
		for _, n := range seen {
			total += n
		}
		for _, e := range take(t, s, cursor, acknowledged-total) {
			cursor = e.Cursor
			seen[e.Deployment]++
		}
	}
}

func tailCancelled(t *testing.T, open Open) {
	s := fresh(t, open)
	must(t, s.Append(context.Background(), "d1", 0, started("shop", 0)))
	for e, err := range s.Tail(endedContext(), 0) {
		t.Errorf("it yielded %v, %v", e, err)
	}
	for id, err := range s.Arrivals(endedContext()) {
		t.Errorf("it yielded %v, %v", id, err)
	}
}
