package bootstrap

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/secret"
)

// sessions returns one session that owns a state directory and one that reaches it through the socket. The path of the
// socket is longer than its address may be.
func sessions(t *testing.T) (own, other *Session) {
	t.Helper()
	dir, err := OpenState(filepath.Join(t.TempDir(), strings.Repeat("x", 120)), new(secret.Redactor))
	if err != nil {
		t.Fatal(err)
	}
	i := Instance{Dir: dir, Config: config.Default(), Log: io.Discard, Note: t.Logf}
	open := func(isOwner bool) *Session {
		s, err := Open(t.Context(), i)
		if err != nil {
			t.Fatal(err)
		}
		if s.IsOwner() != isOwner {
			t.Fatalf("the session owns the directory: %t", s.IsOwner())
		}
		t.Cleanup(func() { _ = s.Close() }) // closed before, where its error matters
		return s
	}
	return open(true), open(false)
}

const pause = sluice.StepID("staging/before/0")

// pausing is a plan that waits for a person.
func pausing(application string) *sluice.Plan {
	return &sluice.Plan{
		Application: application,
		Targets:     []sluice.PlannedTarget{{Name: "staging", Account: "local", Namespace: "staging"}},
		Steps: []sluice.PlannedStep{{
			ID: pause, Target: "staging", Phase: sluice.PhaseBefore,
			StepSpec: sluice.StepSpec{Kind: sluice.KindPause, Pause: &sluice.Pause{UntilApproved: true}},
		}},
	}
}

// until reads the updates of a session up to the event that is wanted.
func until(t *testing.T, s *Session, id sluice.DeploymentID, want func(sluice.Event) bool) []sluice.Event {
	t.Helper()
	var events []sluice.Event
	for u, err := range s.Watch(t.Context(), id, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if u.Event == nil {
			continue
		}
		if events = append(events, *u.Event); want(*u.Event) {
			return events
		}
	}
	t.Fatalf("the updates ended before: %v", events)
	return nil
}

func waits(e sluice.Event) bool { return e.Kind == sluice.StepProgressed && e.Step == pause }
func ends(e sluice.Event) bool  { return e.Kind == sluice.DeploymentEnded }

func TestDeploymentThroughTheSocket(t *testing.T) {
	own, other := sessions(t)
	me := sluice.Actor{Name: "me", Roles: []string{"dev"}, Via: "cli"}
	id, err := other.Start(t.Context(), pausing("shop"), me)
	if err != nil {
		t.Fatal(err)
	}
	events := until(t, other, id, waits)
	if diff := cmp.Diff(me, *events[0].Actor); diff != "" {
		t.Errorf("who started it: %s", diff)
	}
	_, err = other.Start(t.Context(), pausing("shop"), me)
	_, ours := own.Start(t.Context(), pausing("shop"), me)
	if err == nil || err.Error() != ours.Error() || sluice.ErrorCode(err) != sluice.ErrorCode(ours) ||
		sluice.ErrorHint(err) != sluice.ErrorHint(ours) {
		t.Errorf("a second deployment: %v; in the process itself: %v", err, ours)
	}
	sig := sluice.Signal{Kind: sluice.SignalApprove, Step: pause, By: me}
	if _, err := other.instance.Dir.Signal(t.Context(), id, sig); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(until(t, own, id, ends), until(t, other, id, ends)); diff != "" {
		t.Errorf("the socket shows something else: %s", diff)
	}
	if err := other.Reopen(t.Context(), id, me); sluice.ErrorCode(err) != sluice.Conflict {
		t.Errorf("to go on with an undo that there is not: %v", err)
	}
	entries, err := own.own.store.Entries(t.Context(), "shop", 0, 10)
	began := slices.ContainsFunc(entries, func(e sluice.AuditEntry) bool {
		return e.Verb == "deploy" && e.By.Name == "me"
	})
	if err != nil || !began {
		t.Errorf("the audit has %v, %v", entries, err)
	}
}

// A deployment that was handed over is in the store, or its caller knows that it was not taken.
func TestNothingHandedOverIsLost(t *testing.T) {
	own, other := sessions(t)
	names := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	taken := make(chan sluice.DeploymentID, len(names))
	for _, name := range names {
		go func() {
			id, err := other.Start(t.Context(), pausing(name), sluice.Actor{Name: "me"})
			if err != nil && sluice.ErrorCode(err) != sluice.Unavailable {
				t.Errorf("%s: %v", name, err)
			}
			taken <- id
		}()
	}
	first := <-taken
	unended, err := own.Finish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	known := []sluice.DeploymentID{first}
	for range names[1:] {
		known = append(known, <-taken)
	}
	known = slices.DeleteFunc(known, func(id sluice.DeploymentID) bool { return id == "" })
	slices.Sort(known)
	slices.Sort(unended)
	if diff := cmp.Diff(known, unended); diff != "" {
		t.Errorf("what callers know of and what was taken differ: %s", diff)
	}
	if _, err := os.Stat(own.instance.Dir.socket()); err == nil {
		t.Error("the socket stays behind")
	}
}

// A watch ends when the process goes away that ran the deployment, so that another one can take it over.
func TestWatchEndsWithTheOwner(t *testing.T) {
	own, other := sessions(t)
	id, err := other.Start(t.Context(), pausing("shop"), sluice.Actor{Name: "me"})
	if err != nil {
		t.Fatal(err)
	}
	until(t, other, id, waits)
	over := make(chan int, 1)
	watching, seen := make(chan struct{}), 0
	go func() {
		for u := range other.Watch(t.Context(), id, 0) {
			if seen++; u.Event != nil && waits(*u.Event) {
				close(watching)
			}
		}
		over <- seen
	}()
	<-watching
	if err := own.Close(); err != nil {
		t.Error(err)
	}
	if n := <-over; n < 2 {
		t.Errorf("%d updates", n)
	}
	if _, err := other.Start(t.Context(), pausing("x"), sluice.Actor{}); sluice.ErrorCode(err) != sluice.Unavailable ||
		sluice.ErrorHint(err) != "go on with: sluice run --resume" {
		t.Errorf("nobody is there: %v (%s)", err, sluice.ErrorHint(err))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	again, err := Open(ctx, own.instance)
	if err != nil || !again.IsOwner() {
		t.Fatalf("the directory is not free: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
