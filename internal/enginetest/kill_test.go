package enginetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/storetest"
)

// A mortality says when the engines of a run die. Each life uses up one call.
type mortality func(life int) (appends, effects int)

func immortal(int) (appends, effects int) { return 0, 0 }

// once kills the first engine after n appends or effects.
func once(appends, effects int) mortality {
	return func(life int) (int, int) {
		if life > 0 {
			return 0, 0
		}
		return appends, effects
	}
}

func TestKilledAfterEveryAppend(t *testing.T) {
	everyScenario(t, func(t *testing.T, want *ending, s scenario) {
		killAtEvery(t, s, want, func(n int) mortality { return once(n, 0) })
	})
}

func TestKilledAfterEveryEffect(t *testing.T) {
	everyScenario(t, func(t *testing.T, want *ending, s scenario) {
		killAtEvery(t, s, want, func(n int) mortality { return once(0, n) })
	})
}

// An engine that never survives more than one append, or more than one effect, still gets there.
func TestKilledAgainAndAgain(t *testing.T) {
	everyScenario(t, func(t *testing.T, want *ending, s scenario) {
		for _, each := range []struct{ appends, effects int }{{1, 0}, {0, 1}, {2, 1}} {
			got := run(t, s, func(int) (int, int) { return each.appends, each.effects })
			if each.appends == 1 && got.lives < 10 {
				t.Errorf("%d lives only: the engine was not killed after every append", got.lives)
			}
			got.compare(t, want, fmt.Sprintf("killed after every %d appends or %d effects", each.appends, each.effects))
		}
	})
}

// everyScenario runs a test with each scenario and with how it ends if nobody is killed.
func everyScenario(t *testing.T, test func(*testing.T, *ending, scenario)) {
	for name, s := range scenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := run(t, s, immortal)
			if want.Outcome != s.outcome {
				t.Fatalf("the outcome is %q, want %q", want.Outcome, s.outcome)
			}
			if diff := cmp.Diff(s.targets, want.Targets); diff != "" {
				t.Fatalf("targets (-want +got):\n%s", diff)
			}
			if left := want.left(); len(left) > 0 {
				t.Fatalf("what was undone left %q", left)
			}
			test(t, want, s)
		})
	}
}

// killAtEvery runs the scenario with a kill at the first, second, ... moment, until one comes too late.
func killAtEvery(t *testing.T, s scenario, want *ending, at func(n int) mortality) {
	for n := 1; ; n++ {
		got := run(t, s, at(n))
		got.compare(t, want, fmt.Sprintf("killed at %d", n))
		if got.lives == 1 {
			if began := got.began(); n <= began {
				t.Errorf("%d steps began, but there were only %d moments to kill at", began, n-1)
			}
			return
		}
		if t.Failed() {
			return
		}
	}
}

// run carries a scenario out, with a new engine over the same log whenever one was killed.
func run(t *testing.T, s scenario, dies mortality) *ending {
	t.Helper()
	var end *ending
	synctest.Test(t, func(t *testing.T) {
		store, w := storetest.NewMemory(), newWorld()
		for n := 0; end == nil; n++ {
			if n > 500 {
				t.Fatal("the deployment does not end")
			}
			l := &life{world: w, store: store, died: make(chan struct{})}
			l.appends, l.effects = dies(n)
			if id := live(t, l, s); id != "" {
				end = newEnding(t, store, id, w, n+1)
			}
		}
	})
	return end
}

// live starts or resumes the deployment and returns its id if it ended before the life did.
func live(t *testing.T, l *life, s scenario) sluice.DeploymentID {
	store := mortalStore{l.store, l}
	e := newEngine(store, steps{world: l, log: store, behaviours: s.behaviours})
	id, err := begin(t.Context(), e, store, plan(s.afterwards))
	if err == nil {
		go s.speak(t.Context(), e, l.store, id)
		go func() {
			<-l.died
			if err := e.Stop(context.Background()); err != nil {
				t.Error(err)
			}
		}()
		_, err = e.Wait(t.Context(), id)
		if err == nil {
			err = s.goOn(t.Context(), l, e, id)
		}
	}
	dead := l.isDead()
	if !dead {
		close(l.died)
	}
	if err := e.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	synctest.Wait()
	if dead {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// goOn repairs the world and lets the undo go on, as often as it fails and somebody wants that.
func (s scenario) goOn(ctx context.Context, l *life, e *engine.Engine, id sluice.DeploymentID) error {
	for s.repairs > 0 && !l.isDead() {
		state, err := engine.Fold(id, l.store.Read(ctx, id, 0))
		if err != nil || !state.CanReopen() {
			return err
		}
		l.world.repair()
		if err := e.Reopen(ctx, id, sluice.Actor{Name: "bob"}); err != nil {
			return err
		}
		if _, err := e.Wait(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// begin starts the deployment, or resumes it if an earlier engine began it.
func begin(ctx context.Context, e *engine.Engine, log sluice.Log, p *sluice.Plan) (sluice.DeploymentID, error) {
	list, err := log.Deployments(ctx, "")
	if err != nil {
		return "", err
	}
	if len(list) == 0 {
		return e.Start(ctx, p, sluice.Actor{Name: "ana"})
	}
	return list[0].ID, e.Resume(ctx)
}

// speak plays the people and callbacks that steps wait for. They send their signal again after every kill, because they
// got no answer. A signal that was recorded before is refused as a conflict; after its end a pause would not be, so
// nobody pauses twice.
func (s scenario) speak(ctx context.Context, e *engine.Engine, log sluice.Log, id sluice.DeploymentID) {
	for u, err := range e.Watch(ctx, id, 0) {
		if err != nil {
			return
		}
		sig, ok := s.answer(u)
		if !ok || sig.Kind == sluice.SignalPause && wasPaused(ctx, log, id) {
			continue
		}
		if err := e.Signal(ctx, id, sig); err != nil && errors.Is(err, context.Canceled) {
			return
		}
	}
}

func wasPaused(ctx context.Context, log sluice.Log, id sluice.DeploymentID) bool {
	for e, err := range log.Read(ctx, id, 0) {
		if err == nil && e.Kind == sluice.SignalReceived && e.Signal.Kind == sluice.SignalPause {
			return true
		}
	}
	return false
}

// answer returns what is said because of an update. The step at which a person pauses is approved once the pause is
// recorded.
func (s scenario) answer(u engine.Update) (sluice.Signal, bool) {
	by := sluice.Actor{Name: "bob", Via: "api"}
	switch {
	case u.Event != nil && u.Event.Kind == sluice.SignalReceived && u.Event.Signal.Kind == sluice.SignalPause:
		return sluice.Signal{Kind: sluice.SignalApprove, Step: s.saidAt, By: by}, true
	case u.Event != nil && u.Event.Kind == sluice.StepDone && u.Event.Step == s.saidAt && s.continued:
		return sluice.Signal{Kind: sluice.SignalContinue, By: by}, true
	}
	if u.Event == nil || u.Event.Progress == nil || u.Event.Progress.Wait == nil ||
		len(u.Event.Progress.Wait.Signals) == 0 {
		return sluice.Signal{}, false
	}
	if u.Event.Step == s.saidAt {
		return sluice.Signal{Kind: s.said, Step: s.saidTo, By: by}, true
	}
	return sluice.Signal{Kind: u.Event.Progress.Wait.Signals[0], Step: u.Event.Step, By: by, Success: true}, true
}
