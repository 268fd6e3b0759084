package storetest

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

func testQueue(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, sluice.Store){
		"lets a queued deployment start when the running one has ended": queueStarts,
		"ends the queued deployment when a newer one is queued":         queueOvertakes,
		"refuses a deployment that would pass the queued one":           queueComesFirst,
		"starts what is queued once":                                    queueStartsOnce,
		"is one for each application":                                   queueEachApplication,
		"keeps the newest of many that are queued at once":              queueConcurrent,
	} {
		t.Run(name, func(t *testing.T) { test(t, fresh(t, open)) })
	}
	t.Run("is one for all processes", func(t *testing.T) {
		a, b := pair(t, open)
		queueShared(t, a, b)
	})
}

// queued is the first event of a deployment that waits for its turn.
func queued(application string, n int) sluice.Event {
	e := started(application, n)
	e.Kind = sluice.DeploymentQueued
	return e
}

// begun is the event with which a queued deployment starts.
func begun(n int) sluice.Event { return sluice.Event{At: at(n), Kind: sluice.DeploymentStarted} }

// overtaken is the last event of a deployment that was queued until another one came.
func overtaken(by sluice.DeploymentID, n int) sluice.Event {
	e := ended(sluice.StatusOvertaken, n)
	e.OvertakenBy = by
	return e
}

// wantOutcomes fails the test unless the application's deployments are listed with these outcomes.
func wantOutcomes(t *testing.T, s sluice.Store, application string, want map[sluice.DeploymentID]sluice.Status) {
	t.Helper()
	list, err := s.Deployments(context.Background(), application)
	must(t, err)
	got := map[sluice.DeploymentID]sluice.Status{}
	for _, d := range list {
		got[d.ID] = d.Outcome
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

func queueStarts(t *testing.T, s sluice.Store) {
	ctx := context.Background()
	must(t, s.Append(ctx, "d1", 0, started("shop", 0)))
	must(t, s.Append(ctx, "d2", 0, queued("shop", 1)))
	wantOutcomes(t, s, "shop", map[sluice.DeploymentID]sluice.Status{"d1": "", "d2": sluice.StatusQueued})
	err := s.Append(ctx, "d2", 1, begun(2))
	wantCode(t, err, sluice.Conflict)
	if sluice.ErrorHint(err) == "" {
		t.Error("the conflict has no hint")
	}
	must(t, s.Append(ctx, "d1", 1, ended(sluice.StatusFailed, 3)))
	must(t, s.Append(ctx, "d2", 1, begun(4), progressed(5)))
	wantLog(t, s, "d2", queued("shop", 1), begun(4), progressed(5))
	wantOutcomes(t, s, "shop", map[sluice.DeploymentID]sluice.Status{"d1": sluice.StatusFailed, "d2": ""})
}

func queueOvertakes(t *testing.T, s sluice.Store) {
	ctx := context.Background()
	must(t, s.Append(ctx, "d1", 0, started("shop", 0)))
	must(t, s.Append(ctx, "d2", 0, queued("shop", 1)))
	must(t, s.Append(ctx, "d3", 0, queued("shop", 2)))
	wantLog(t, s, "d2", queued("shop", 1), overtaken("d3", 2))
	wantCode(t, s.Append(ctx, "d2", 1, begun(3)), sluice.Conflict)
	wantCode(t, s.Append(ctx, "d2", 2, begun(3)), sluice.Conflict)
	must(t, s.Append(ctx, "d1", 1, ended(sluice.StatusSucceeded, 4)))
	wantOutcomes(t, s, "shop", map[sluice.DeploymentID]sluice.Status{
		"d1": sluice.StatusSucceeded, "d2": sluice.StatusOvertaken, "d3": sluice.StatusQueued,
	})
	unended, err := s.Unended(ctx)
	must(t, err)
	if diff := cmp.Diff([]sluice.DeploymentID{"d3"}, unended); diff != "" {
		t.Errorf("unended (-want +got):\n%s", diff)
	}
}

// The running one has ended, but the queued one has not started yet: its process may have been killed.
func queueComesFirst(t *testing.T, s sluice.Store) {
	ctx := context.Background()
	must(t, s.Append(ctx, "d1", 0, queued("shop", 0)))
	err := s.Append(ctx, "d2", 0, started("shop", 1))
	wantCode(t, err, sluice.Conflict)
	if sluice.ErrorHint(err) == "" {
		t.Error("the conflict has no hint")
	}
	must(t, s.Append(ctx, "d1", 1, begun(2)))
	wantLog(t, s, "d1", queued("shop", 0), begun(2))
}

func queueStartsOnce(t *testing.T, s sluice.Store) {
	ctx := context.Background()
	wantCode(t, s.Append(ctx, "d1", 0, begun(0)), sluice.Invalid)
	must(t, s.Append(ctx, "d1", 0, queued("shop", 0)))
	wantCode(t, s.Append(ctx, "d1", 1, queued("shop", 1)), sluice.Invalid)
	wantCode(t, s.Append(ctx, "d1", 1, started("shop", 1)), sluice.Invalid)
	must(t, s.Append(ctx, "d1", 1, begun(1)))
	wantCode(t, s.Append(ctx, "d1", 2, begun(2)), sluice.Conflict)
	must(t, s.Append(ctx, "d1", 2, ended(sluice.StatusSucceeded, 3)))
	wantLog(t, s, "d1", queued("shop", 0), begun(1), ended(sluice.StatusSucceeded, 3))
}

func queueEachApplication(t *testing.T, s sluice.Store) {
	ctx := context.Background()
	for i, id := range []sluice.DeploymentID{"d1", "d2"} {
		must(t, s.Append(ctx, id, 0, queued(application(i), i)))
		must(t, s.Append(ctx, id, 1, begun(i)))
	}
	wantLog(t, s, "d1", queued(application(0), 0), begun(0))
}

func queueConcurrent(t *testing.T, s sluice.Store) {
	ctx := context.Background()
	must(t, s.Append(ctx, "running", 0, started("shop", 0)))
	inParallel(func(i int) { expect(t, s.Append(ctx, deployment(i), 0, queued("shop", i))) })
	var newest sluice.DeploymentID // in the order of the feed, whatever the clocks said
	for e, err := range s.Tail(soon(t), 0) {
		must(t, err)
		if e.Event.Kind == sluice.DeploymentQueued {
			newest = e.Deployment
		}
		if int(e.Cursor) == 2*appenders { // the one that runs, those that are queued, and all but one of their ends
			break
		}
	}
	for i := range appenders {
		log := read(t, s, deployment(i), 0)
		if isNewest := deployment(i) == newest; isNewest != (len(log) == 1) {
			t.Errorf("%s has %d events, and the newest is %s", deployment(i), len(log), newest)
		}
	}
}

func queueShared(t *testing.T, a, b sluice.Store) {
	ctx := context.Background()
	must(t, a.Append(ctx, "d1", 0, started("shop", 0)))
	must(t, a.Append(ctx, "d2", 0, queued("shop", 1)))
	must(t, b.Append(ctx, "d3", 0, queued("shop", 2)))
	wantCode(t, a.Append(ctx, "d2", 1, sluice.Event{
		At: at(3), Kind: sluice.SignalReceived, Signal: &sluice.Signal{Kind: sluice.SignalCancel},
	}), sluice.Conflict)
	must(t, a.Append(ctx, "d1", 1, ended(sluice.StatusSucceeded, 4)))
	wantCode(t, a.Append(ctx, "d2", 1, begun(5)), sluice.Conflict)
	must(t, b.Append(ctx, "d3", 1, begun(6)))
	wantCode(t, a.Append(ctx, "d3", 1, begun(7)), sluice.Conflict)
	wantLog(t, b, "d2", queued("shop", 1), overtaken("d3", 2))
	wantOutcomes(t, a, "shop", map[sluice.DeploymentID]sluice.Status{
		"d1": sluice.StatusSucceeded, "d2": sluice.StatusOvertaken, "d3": "",
	})
}
