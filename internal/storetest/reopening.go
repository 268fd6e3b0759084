package storetest

import (
	"context"
	"testing"

	"github.com/sluice-cd/sluice"
)

func testReopening(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, sluice.Store){
		"lets a deployment that ended go on and end again":        reopenGoesOn,
		"refuses one that has not ended, and any place but first": reopenRefused,
		"refuses one while the application is being deployed":     reopenBeside,
	} {
		t.Run(name, func(t *testing.T) { test(t, fresh(t, open)) })
	}
	t.Run("is one for all processes", func(t *testing.T) {
		a, b := pair(t, open)
		reopenShared(t, a, b)
	})
}

// reopened is the event that follows an end.
func reopened(n int) sluice.Event {
	return sluice.Event{At: at(n), Kind: sluice.DeploymentReopened, Actor: &sluice.Actor{Name: "ana"}}
}

func wantUnended(t *testing.T, s sluice.Store, n int) {
	t.Helper()
	list, err := s.Unended(context.Background())
	must(t, err)
	if len(list) != n {
		t.Errorf("unended are %v, want %d", list, n)
	}
}

func reopenGoesOn(t *testing.T, s sluice.Store) {
	ctx := context.Background()
	must(t, s.Append(ctx, "d1", 0, started("shop", 0), ended(sluice.StatusFailed, 1)))
	wantUnended(t, s, 0)
	must(t, s.Append(ctx, "d1", 2, reopened(2), progressed(3)))
	wantUnended(t, s, 1)
	wantOutcomes(t, s, "shop", map[sluice.DeploymentID]sluice.Status{"d1": ""})
	wantCode(t, s.Append(ctx, "d2", 0, started("shop", 4)), sluice.Conflict)
	_, err := s.Send(ctx, "d1", sluice.Signal{Kind: sluice.SignalCancel})
	must(t, err)
	must(t, s.Append(ctx, "d1", 4, ended(sluice.StatusRolledBack, 5)))
	wantCode(t, s.Append(ctx, "d1", 5, progressed(6)), sluice.Conflict)
	wantUnended(t, s, 0)
	wantOutcomes(t, s, "shop", map[sluice.DeploymentID]sluice.Status{"d1": sluice.StatusRolledBack})
	wantLog(t, s, "d1", started("shop", 0), ended(sluice.StatusFailed, 1), reopened(2), progressed(3),
		ended(sluice.StatusRolledBack, 5))
	must(t, s.Append(ctx, "d1", 5, reopened(7), ended(sluice.StatusFailed, 8)))
	must(t, s.Append(ctx, "d2", 0, started("shop", 9)))
}

func reopenRefused(t *testing.T, s sluice.Store) {
	ctx := context.Background()
	must(t, s.Append(ctx, "d1", 0, started("shop", 0)))
	wantCode(t, s.Append(ctx, "d1", 1, reopened(1)), sluice.Conflict)
	wantCode(t, s.Append(ctx, "d2", 0, reopened(1)), sluice.Invalid)
	wantCode(t, s.Append(ctx, "d3", 4, reopened(1)), sluice.NotFound)
	must(t, s.Append(ctx, "d1", 1, ended(sluice.StatusFailed, 2)))
	wantCode(t, s.Append(ctx, "d1", 1, reopened(3)), sluice.Conflict)
	wantCode(t, s.Append(ctx, "d1", 2, progressed(3), reopened(3)), sluice.Invalid)
	wantLog(t, s, "d1", started("shop", 0), ended(sluice.StatusFailed, 2))
}

func reopenBeside(t *testing.T, s sluice.Store) {
	ctx := context.Background()
	must(t, s.Append(ctx, "d1", 0, started("shop", 0), ended(sluice.StatusFailed, 1)))
	must(t, s.Append(ctx, "other", 0, started("blog", 0)))
	must(t, s.Append(ctx, "d2", 0, queued("shop", 2)))
	wantCode(t, s.Append(ctx, "d1", 2, reopened(3)), sluice.Conflict)
	must(t, s.Append(ctx, "d2", 1, begun(4)))
	wantCode(t, s.Append(ctx, "d1", 2, reopened(5)), sluice.Conflict)
	must(t, s.Append(ctx, "d2", 2, ended(sluice.StatusSucceeded, 6)))
	must(t, s.Append(ctx, "d1", 2, reopened(7)))
}

// reopenShared lets another process append in between.
func reopenShared(t *testing.T, a, b sluice.Store) {
	ctx := context.Background()
	must(t, a.Append(ctx, "d1", 0, started("shop", 0), ended(sluice.StatusFailed, 1)))
	must(t, b.Append(ctx, "d1", 2, reopened(2)))
	wantCode(t, a.Append(ctx, "d1", 2, reopened(3)), sluice.Conflict)
	must(t, a.Append(ctx, "d1", 3, ended(sluice.StatusRolledBack, 4)))
	must(t, b.Append(ctx, "d1", 4, reopened(5)))
	wantUnended(t, a, 1)
}
