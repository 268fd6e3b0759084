package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sluice-cd/sluice"
)

// Open opens the store that is kept in the directory, a new one if the directory is empty. The same directory gives
// the same store again, also in another process. Run closes it.
type Open func(t *testing.T, dir string) sluice.Store

// Run tests that what open returns keeps the contracts of [sluice.Store]. It re-executes the test binary to get a
// second process. So it MUST be called from a test function and not depend on other tests.
func Run(t *testing.T, open Open) {
	for _, group := range []struct {
		name string
		run  func(*testing.T, Open)
	}{
		{"append", testAppend},
		{"queue", testQueue},
		{"reopening", testReopening},
		{"read", testRead},
		{"deployments", testDeployments},
		{"catalogue", testCatalogue},
		{"reopen", testReopen},
		{"concurrent", testConcurrent},
		{"crash", testCrash},
		{"lease", testLease},
		{"inbox", testInbox},
		{"tail", testTail},
		{"tokens", testTokens},
		{"audit", testAudit},
		{"readers", testReaders},
		{"close", testClose},
	} {
		t.Run(group.name, func(t *testing.T) { group.run(t, open) })
	}
}

// epoch is when the suite's events happen; instants with nanoseconds find stores that round.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

// soon is a context for things that must happen soon: it ends much later.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// endedContext is a context that has ended.
func endedContext() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// at returns the instant of the nth event.
func at(n int) time.Time { return epoch.Add(time.Duration(n) * time.Second) }

// fresh opens a new store, closed when the test ends.
func fresh(t *testing.T, open Open) sluice.Store { return opened(t, open, t.TempDir()) }

// pair opens one new store twice, as two processes do.
func pair(t *testing.T, open Open) (a, b sluice.Store) {
	dir := t.TempDir()
	return opened(t, open, dir), opened(t, open, dir)
}

func opened(t *testing.T, open Open, dir string) sluice.Store {
	t.Helper()
	s := open(t, dir)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// started is the first event of a deployment of the application.
func started(application string, n int) sluice.Event {
	return sluice.Event{
		At: at(n), Kind: sluice.DeploymentStarted,
		Plan:  &sluice.Plan{Application: application, Digest: "d1"},
		Actor: &sluice.Actor{Name: "ana", Roles: []string{"deployer"}, Via: "cli"},
	}
}

// progressed is an event in the middle.
func progressed(n int) sluice.Event {
	return sluice.Event{
		At: at(n), Kind: sluice.StepProgressed, Step: "production/apply",
		Progress: &sluice.Progress{State: sluice.Running, Message: fmt.Sprint("event ", n)},
	}
}

// ended is the last event of a deployment.
func ended(outcome sluice.Status, n int) sluice.Event {
	return sluice.Event{At: at(n), Kind: sluice.DeploymentEnded, Outcome: outcome}
}

// must fails the test if err is set.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// expect is must where the test goes on, as in goroutines.
func expect(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// wantCode fails the test unless err has the code.
func wantCode(t *testing.T, err error, want sluice.Code) {
	t.Helper()
	if got := sluice.ErrorCode(err); got != want {
		t.Fatalf("code is %q (%v), want %q", got, err, want)
	}
}

// read returns the events after the one numbered after.
func read(t *testing.T, s sluice.Log, id sluice.DeploymentID, after sluice.Seq) []sluice.Event {
	t.Helper()
	var events []sluice.Event
	for e, err := range s.Read(context.Background(), id, after) {
		must(t, err)
		events = append(events, e)
	}
	return events
}

// wantLog fails the test unless the deployment's log is exactly the events, numbered from 1.
func wantLog(t *testing.T, s sluice.Log, id sluice.DeploymentID, want ...sluice.Event) {
	t.Helper()
	numbered := append([]sluice.Event(nil), want...)
	for i := range numbered {
		numbered[i].Seq = sluice.Seq(i + 1)
	}
	if diff := cmp.Diff(numbered, read(t, s, id, 0), cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("log of %s (-want +got):\n%s", id, diff)
	}
}
