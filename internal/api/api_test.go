package api_test

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/api"
	"github.com/sluice-cd/sluice/internal/engine"
)

func TestDeploymentThroughTheAPI(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		id := w.waiting(t, "shop")
		ana := w.as(t, "ana")
		state, err := engine.Fold(id, ana.Reader().Read(t.Context(), id, 0))
		if err != nil || state.Steps[gate].Phase != engine.PhaseWaiting {
			t.Fatalf("the gate: %+v, %v", state.Steps[gate], err)
		}
		sig := sluice.Signal{Kind: sluice.SignalApprove, Step: gate, Reason: "fine", By: sluice.Actor{Name: "somebody"}}
		if err := ana.Signal(t.Context(), id, sig); err != nil {
			t.Fatal(err)
		}
		events := w.until(t, id, ended)
		if last := events[len(events)-1]; last.Outcome != sluice.StatusSucceeded {
			t.Errorf("outcome %s", last.Outcome)
		}
		i := slices.IndexFunc(events, func(e sluice.Event) bool { return e.Kind == sluice.SignalReceived })
		by := sluice.Actor{Name: "ana", Roles: []string{"developer"}, Via: "api", Identity: "test#ana"}
		if diff := cmp.Diff(by, events[i].Signal.By); diff != "" {
			t.Errorf("who approved: %s", diff)
		}
		var stored []sluice.Event
		for e, err := range w.store.Read(t.Context(), id, 0) {
			if err != nil {
				t.Fatal(err)
			}
			stored = append(stored, e)
		}
		if diff := cmp.Diff(stored, events); diff != "" {
			t.Errorf("the stream is not the log: %s", diff)
		}
	})
}

func TestNothingLeaksBetweenApplications(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		ours, theirs := w.waiting(t, "shop"), w.waiting(t, "billing")
		checkpoint := sluice.Checkpoint{ID: "c1", Application: "billing", Deployment: theirs, Target: "staging"}
		if err := w.store.PutCheckpoint(t.Context(), checkpoint); err != nil {
			t.Fatal(err)
		}
		ana, ctx := w.as(t, "ana").Reader(), t.Context()
		list, err := ana.Deployments(ctx, "")
		if err != nil || !slices.Equal(ids(list), []sluice.DeploymentID{ours}) {
			t.Errorf("ana sees %v, %v", ids(list), err)
		}
		unended, err := ana.Unended(ctx)
		if err != nil || !slices.Equal(unended, []sluice.DeploymentID{ours}) {
			t.Errorf("ana sees unended %v, %v", unended, err)
		}
		if list, err := ana.Deployments(ctx, "billing"); err != nil || len(list) > 0 {
			t.Errorf("ana sees %v of billing, %v", list, err)
		}
		if list, err := ana.Checkpoints(ctx, ""); err != nil || len(list) > 0 {
			t.Errorf("ana sees the checkpoints %v, %v", list, err)
		}
		for _, err := range ana.Read(ctx, theirs, 0) {
			wants(t, "read", err, sluice.NotFound)
		}
		for _, err := range ana.Watch(ctx, theirs, 0) {
			wants(t, "watch", err, sluice.NotFound)
		}
		_, err = ana.Checkpoint(ctx, "c1")
		wants(t, "a checkpoint", err, sluice.NotFound)
		wants(t, "delete a checkpoint", ana.Client.DeleteCheckpoint(ctx, "c1"), sluice.NotFound)
		_, err = ana.Report(ctx, theirs, gate)
		wants(t, "a report", err, sluice.NotFound)
		wants(t, "approve", ana.Signal(ctx, theirs, sluice.Signal{Kind: sluice.SignalApprove, Step: gate}), sluice.NotFound)
		_, err = ana.Rollback(ctx, api.Rollback{Deployment: string(theirs)})
		wants(t, "roll back", err, sluice.NotFound)
		_, err = ana.Retry(ctx, theirs)
		wants(t, "retry", err, sluice.NotFound)
		_, err = ana.Deploy(ctx, bundle("billing"))
		wants(t, "deploy", err, sluice.Denied)
		_, err = ana.Plan(ctx, bundle("billing"), true)
		wants(t, "plan", err, sluice.Denied)
		for entry, err := range (feedUntil{t, w, ana, ours, theirs}).entries() {
			if err != nil || entry.Deployment != ours {
				t.Fatalf("the feed has %v of %s, %v", entry.Event.Kind, entry.Deployment, err)
			}
		}
	})
}

// feedUntil reads a feed until a deployment of its reader ends; before that, one of somebody else ends.
type feedUntil struct {
	t            *testing.T
	w            *world
	reader       api.Reader
	ours, theirs sluice.DeploymentID
}

func (f feedUntil) entries() func(func(sluice.Entry, error) bool) {
	f.t.Helper()
	root := f.w.as(f.t, "root")
	for _, id := range []sluice.DeploymentID{f.theirs, f.ours} {
		if err := root.Signal(f.t.Context(), id, sluice.Signal{Kind: sluice.SignalApprove, Step: gate}); err != nil {
			f.t.Fatal(err)
		}
		f.w.until(f.t, id, ended)
	}
	return func(yield func(sluice.Entry, error) bool) {
		for e, err := range f.reader.Tail(f.t.Context(), 0) {
			if !yield(e, err) || e.Event.Kind == sluice.DeploymentEnded {
				return
			}
		}
	}
}

func TestRequestWithAKeyIsDoneOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		ana := w.as(t, "ana")
		first, err := ana.DeployWith(ctx, bundle("shop"), "k1")
		if err != nil || first.Again {
			t.Fatal(first, err)
		}
		again, err := ana.DeployWith(ctx, bundle("shop"), "k1")
		if err != nil || !again.Again || again.ID != first.ID {
			t.Errorf("the same request again: %+v, %v", again, err)
		}
		other := bundle("shop")
		other.Files["manifests/config.yaml"] = append(other.Files["manifests/config.yaml"], " # \n"...)
		other.Context = map[string]string{"x": "y"}
		_, err = ana.DeployWith(ctx, other, "k1")
		wants(t, "another bundle with that key", err, sluice.Invalid)
		_, err = w.as(t, "root").DeployWith(ctx, bundle("shop"), "k1")
		wants(t, "the key of somebody else, while the deployment runs", err, sluice.Conflict)
		list, err := w.store.Deployments(ctx, "")
		if err != nil || len(list) != 1 {
			t.Errorf("deployments %v, %v", list, err)
		}
	})
}

func TestStreamGoesOnAfterTheLastEvent(t *testing.T) {
	eachStore(t, func(t *testing.T, w *world) {
		id := w.waiting(t, "shop")
		root := w.as(t, "root")
		ctx, cancel := context.WithCancel(t.Context())
		var seen []sluice.Seq
		for u, err := range root.Watch(ctx, id, 0) {
			if err != nil {
				t.Fatal(err)
			}
			if u.Event == nil {
				continue
			}
			seen = append(seen, u.Event.Seq)
			if len(seen) == 2 {
				w.http.CloseClientConnections() // the client connects again by itself
			}
			if u.Event.Kind == sluice.StepProgressed && u.Event.Step == gate {
				err := root.Signal(ctx, id, sluice.Signal{Kind: sluice.SignalApprove, Step: gate})
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		cancel()
		for i, seq := range seen {
			if seq != sluice.Seq(i+1) {
				t.Fatalf("the stream left out or repeated events: %v", seen)
			}
		}
	})
}
