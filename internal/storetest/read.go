package storetest

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

func testRead(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, sluice.Store){
		"of an unknown deployment is NotFound":    readUnknown,
		"begins after the event named":            readAfter,
		"of a long log is complete and in order":  readLong,
		"can be left early and begun again":       readBreak,
		"lets the reader append in between":       readWhileAppending,
		"stops with an error once ctx is ended":   readCancelled,
		"of one deployment yields no other's log": readOthers,
	} {
		t.Run(name, func(t *testing.T) { test(t, fresh(t, open)) })
	}
}

func readUnknown(t *testing.T, s sluice.Store) {
	n := 0
	for _, err := range s.Read(context.Background(), "unknown", 0) {
		wantCode(t, err, sluice.NotFound)
		n++
	}
	if n != 1 {
		t.Fatalf("yielded %d times, want one error", n)
	}
}

func readAfter(t *testing.T, s sluice.Store) {
	must(t, s.Append(context.Background(), "d1", 0, started("shop", 0), progressed(1), progressed(2)))
	for after, want := range map[sluice.Seq]int{0: 3, 1: 2, 2: 1, 3: 0, 99: 0} {
		got := read(t, s, "d1", after)
		if len(got) != want {
			t.Errorf("after %d: %d events, want %d", after, len(got), want)
		}
		if len(got) > 0 && got[0].Seq != after+1 {
			t.Errorf("after %d: begins at %d", after, got[0].Seq)
		}
	}
}

// long is a log of more events than any store should hold in memory at once.
func long(t *testing.T, s sluice.Store) []sluice.Event {
	t.Helper()
	events := []sluice.Event{started("shop", 0)}
	for n := 1; n < 1500; n++ {
		events = append(events, progressed(n))
	}
	must(t, s.Append(context.Background(), "d1", 0, events...))
	return events
}

func readLong(t *testing.T, s sluice.Store) {
	wantLog(t, s, "d1", long(t, s)...)
}

func readBreak(t *testing.T, s sluice.Store) {
	events := long(t, s)
	for range 3 {
		for e, err := range s.Read(context.Background(), "d1", 0) {
			must(t, err)
			if e.Seq == 700 {
				break
			}
		}
	}
	wantLog(t, s, "d1", events...)
}

func readWhileAppending(t *testing.T, s sluice.Store) {
	ctx := context.Background()
	must(t, s.Append(ctx, "d1", 0, started("shop", 0), progressed(1)))
	for e, err := range s.Read(ctx, "d1", 0) {
		must(t, err)
		if e.Seq <= 2 {
			must(t, s.Append(ctx, "d1", e.Seq+1, progressed(int(e.Seq)+1)))
		}
	}
	wantLog(t, s, "d1", started("shop", 0), progressed(1), progressed(2), progressed(3))
}

func readCancelled(t *testing.T, s sluice.Store) {
	must(t, s.Append(context.Background(), "d1", 0, started("shop", 0)))
	ctx := endedContext()
	n := 0
	for _, err := range s.Read(ctx, "d1", 0) {
		wantCode(t, err, sluice.Cancelled)
		n++
	}
	if n != 1 {
		t.Fatalf("yielded %d times, want one error", n)
	}
}

func readOthers(t *testing.T, s sluice.Store) {
	ctx := context.Background()
	must(t, s.Append(ctx, "d1", 0, started("shop", 0)))
	must(t, s.Append(ctx, "d", 0, started("blog", 1)))
	must(t, s.Append(ctx, "d11", 0, started("wiki", 2)))
	must(t, s.Append(ctx, "d1", 1, progressed(3)))
	wantLog(t, s, "d1", started("shop", 0), progressed(3))
	wantLog(t, s, "d", started("blog", 1))
}

func testDeployments(t *testing.T, open Open) {
	s := fresh(t, open)
	ctx := context.Background()
	for i, d := range []struct {
		id          sluice.DeploymentID
		application string
	}{{"d1", "shop"}, {"d2", "blog"}, {"d3", "wiki"}} {
		must(t, s.Append(ctx, d.id, 0, started(d.application, i)))
	}
	must(t, s.Append(ctx, "d1", 1, ended(sluice.StatusFailed, 5)))
	must(t, s.Append(ctx, "d4", 0, started("shop", 6)))

	d1 := sluice.Deployment{ID: "d1", Application: "shop", StartedAt: at(0), StartedBy: "ana", EndedAt: at(5),
		Outcome: sluice.StatusFailed}
	d2 := sluice.Deployment{ID: "d2", Application: "blog", StartedAt: at(1), StartedBy: "ana"}
	d3 := sluice.Deployment{ID: "d3", Application: "wiki", StartedAt: at(2), StartedBy: "ana"}
	d4 := sluice.Deployment{ID: "d4", Application: "shop", StartedAt: at(6), StartedBy: "ana"}
	for application, want := range map[string][]sluice.Deployment{"": {d4, d3, d2, d1}, "shop": {d4, d1}, "absent": nil} {
		got, err := s.Deployments(ctx, application)
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("deployments of %q (-want +got):\n%s", application, diff)
		}
	}
	unended, err := s.Unended(ctx)
	must(t, err)
	if diff := cmp.Diff([]sluice.DeploymentID{"d2", "d3", "d4"}, unended); diff != "" {
		t.Errorf("unended (-want +got):\n%s", diff)
	}
}
