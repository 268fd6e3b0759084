package storetest

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

func testAppend(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, sluice.Store){
		"numbers events whatever the caller wrote":       appendNumbers,
		"keeps every field":                              appendKeepsFields,
		"after the wrong event changes nothing":          appendConflicts,
		"needs an event that starts the deployment":      appendNeedsStart,
		"refuses a second deployment of an application":  appendOnePerApplication,
		"adds nothing after the end":                     appendNothingAfterEnd,
		"refuses events that no log can hold":            appendRefusesBadEvents,
		"changes nothing once ctx is cancelled":          appendCancelled,
		"of nothing changes nothing":                     appendNothing,
		"of many events is all or nothing":               appendAllOrNothing,
		"starts and ends a deployment in one go":         appendWhole,
		"keeps bodies larger than a page of the storage": appendLarge,
	} {
		t.Run(name, func(t *testing.T) { test(t, fresh(t, open)) })
	}
}

func appendNumbers(t *testing.T, s sluice.Store) {
	events := []sluice.Event{started("shop", 0), progressed(1)}
	events[0].Seq, events[1].Seq = 7, 7
	must(t, s.Append(context.Background(), "d1", 0, events...))
	must(t, s.Append(context.Background(), "d1", 2, progressed(2)))
	if events[0].Seq != 7 || events[1].Seq != 7 {
		t.Error("the caller's events were changed")
	}
	wantLog(t, s, "d1", started("shop", 0), progressed(1), progressed(2))
}

func appendKeepsFields(t *testing.T, s sluice.Store) {
	events := []sluice.Event{
		started("shop", 0),
		{At: at(1), Kind: sluice.StepStarting, Step: "a/before/0", Progress: &sluice.Progress{
			Snapshot: json.RawMessage(`{"replicas":3}`),
			Changes:  []sluice.Change{{Object: "Deployment/shop", Outcome: "created", Diff: "+ a\n- b"}},
		}},
		{At: at(2), Kind: sluice.StepProgressed, Step: "a/before/0", Progress: &sluice.Progress{
			State: sluice.Waiting, Message: "größer ☃ \"quoted\" <b>", Data: json.RawMessage(`{"n":1}`),
			Amount: &sluice.Amount{Unit: "bytes", Done: 1, Total: 1 << 40},
			Wait:   &sluice.Wait{Until: at(60), Signals: []string{"approve"}, Roles: []string{"lead"}},
		}},
		{At: at(3), Kind: sluice.StepRetrying, Step: "a/before/0", Until: at(9),
			Failure: &sluice.Failure{Code: sluice.Unavailable, Message: "no answer", Hint: "wait"}},
		{At: at(4), Kind: sluice.SignalReceived, Actor: &sluice.Actor{Name: "bob"},
			Signal: &sluice.Signal{Kind: "approve", Step: "a/before/0", By: sluice.Actor{Name: "bob", Via: "api"},
				Reason: "fine", Success: true}},
		{At: at(5), Kind: sluice.StepDone, Step: "a/before/0", Progress: &sluice.Progress{
			State: sluice.Done, Result: &sluice.Result{Checkpoint: "c1",
				Verification: &sluice.Verification{Dataset: "orders", Passed: true, Documents: 9}},
		}},
		ended(sluice.StatusSucceeded, 6),
	}
	events[0].Plan.Steps = []sluice.PlannedStep{{
		ID: "a/before/0", Target: "a", Phase: sluice.PhaseBefore,
		StepSpec: sluice.StepSpec{Kind: sluice.KindPause, Pause: &sluice.Pause{Duration: time.Minute}},
	}}
	must(t, s.Append(context.Background(), "d1", 0, events...))
	wantLog(t, s, "d1", events...)
}

func appendConflicts(t *testing.T, s sluice.Store) {
	ctx := context.Background()
	must(t, s.Append(ctx, "d1", 0, started("shop", 0), progressed(1)))
	wantCode(t, s.Append(ctx, "d1", 1, progressed(2)), sluice.Conflict)
	wantCode(t, s.Append(ctx, "d1", 3, progressed(2), progressed(3)), sluice.Conflict)
	wantCode(t, s.Append(ctx, "d1", 0, started("shop", 2)), sluice.Conflict)
	wantCode(t, s.Append(ctx, "unknown", 4, progressed(2)), sluice.NotFound)
	wantLog(t, s, "d1", started("shop", 0), progressed(1))
}

func appendNeedsStart(t *testing.T, s sluice.Store) {
	ctx := context.Background()
	wantCode(t, s.Append(ctx, "d1", 0, progressed(0)), sluice.Invalid)
	wantCode(t, s.Append(ctx, "d1", 0, started("shop", 0), started("shop", 1)), sluice.Invalid)
	for _, err := range s.Read(ctx, "d1", 0) {
		wantCode(t, err, sluice.NotFound)
	}
}

func appendOnePerApplication(t *testing.T, s sluice.Store) {
	ctx := context.Background()
	must(t, s.Append(ctx, "d1", 0, started("shop", 0)))
	err := s.Append(ctx, "d2", 0, started("shop", 1))
	wantCode(t, err, sluice.Conflict)
	if sluice.ErrorHint(err) == "" {
		t.Error("the conflict has no hint")
	}
	must(t, s.Append(ctx, "d3", 0, started("blog", 2)))
	must(t, s.Append(ctx, "d1", 1, ended(sluice.StatusFailed, 3)))
	must(t, s.Append(ctx, "d2", 0, started("shop", 4)))
	wantLog(t, s, "d2", started("shop", 4))
}

func appendNothingAfterEnd(t *testing.T, s sluice.Store) {
	ctx := context.Background()
	must(t, s.Append(ctx, "d1", 0, started("shop", 0), ended(sluice.StatusSucceeded, 1)))
	wantCode(t, s.Append(ctx, "d1", 2, progressed(2)), sluice.Conflict)
	wantCode(t, s.Append(ctx, "d1", 2, ended(sluice.StatusFailed, 2)), sluice.Conflict)
	must(t, s.Append(ctx, "d2", 0, started("shop", 3)))
	wantCode(t, s.Append(ctx, "d2", 1, ended(sluice.StatusFailed, 4), progressed(5)), sluice.Invalid)
	wantLog(t, s, "d1", started("shop", 0), ended(sluice.StatusSucceeded, 1))
	wantLog(t, s, "d2", started("shop", 3))
}

func appendRefusesBadEvents(t *testing.T, s sluice.Store) {
	ctx := context.Background()
	noTime, noKind, noPlan, notJSON := started("shop", 0), started("shop", 0), started("shop", 0), started("shop", 0)
	noTime.At, noKind.Kind, noPlan.Plan = time.Time{}, "", nil
	notJSON.Progress = &sluice.Progress{Data: json.RawMessage("{")}
	for _, e := range []sluice.Event{noTime, noKind, noPlan, notJSON} {
		wantCode(t, s.Append(ctx, "d1", 0, e), sluice.Invalid)
	}
	wantCode(t, s.Append(ctx, "", 0, started("shop", 0)), sluice.Invalid)
	must(t, s.Append(ctx, "d1", 0, started("shop", 0)))
}

func appendCancelled(t *testing.T, s sluice.Store) {
	ctx := endedContext()
	wantCode(t, s.Append(ctx, "d1", 0, started("shop", 0)), sluice.Cancelled)
	must(t, s.Append(context.Background(), "d1", 0, started("shop", 0)))
}

func appendNothing(t *testing.T, s sluice.Store) {
	must(t, s.Append(context.Background(), "d1", 0))
	list, err := s.Deployments(context.Background(), "")
	must(t, err)
	if len(list) != 0 {
		t.Errorf("deployments: %v", list)
	}
}

func appendAllOrNothing(t *testing.T, s sluice.Store) {
	ctx := context.Background()
	must(t, s.Append(ctx, "d1", 0, started("shop", 0)))
	bad := progressed(2)
	bad.At = time.Time{}
	wantCode(t, s.Append(ctx, "d1", 1, progressed(1), bad), sluice.Invalid)
	wantLog(t, s, "d1", started("shop", 0))
}

func appendWhole(t *testing.T, s sluice.Store) {
	ctx := context.Background()
	must(t, s.Append(ctx, "d1", 0, started("shop", 0), progressed(1), ended(sluice.StatusRolledBack, 2)))
	must(t, s.Append(ctx, "d2", 0, started("shop", 3)))
	unended, err := s.Unended(ctx)
	must(t, err)
	if diff := cmp.Diff([]sluice.DeploymentID{"d2"}, unended); diff != "" {
		t.Errorf("unended (-want +got):\n%s", diff)
	}
}

func appendLarge(t *testing.T, s sluice.Store) {
	large := started("shop", 0)
	text := make([]byte, 3<<20)
	for i := range text {
		text[i] = 'a' + byte(i%26)
	}
	large.Plan.Description = string(text)
	must(t, s.Append(context.Background(), "d1", 0, large, progressed(1)))
	wantLog(t, s, "d1", large, progressed(1))
}
