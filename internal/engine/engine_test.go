package engine_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/storetest"
)

// newEngine returns an engine on the store, stopped when the test ends.
func newEngine(t *testing.T, store sluice.Store, steps sluice.Steps) *engine.Engine {
	t.Helper()
	e := engine.New(engine.Config{Store: store, Steps: steps, Now: time.Now, Random: rand.Reader})
	t.Cleanup(func() {
		if err := e.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

// starts says how steps start.
type starts map[sluice.StepID]func(context.Context, sluice.Progress) (sluice.Progress, error)

// world records what steps did, and lets a test say how they behave.
type world struct {
	mu      sync.Mutex
	calls   []string
	check   func(context.Context, sluice.StepID)
	start   starts
	observe map[sluice.StepID]func(p sluice.Progress) (sluice.Progress, error)
	undo    func() error
	undoing func(report func(sluice.Progress)) error
}

func (w *world) New(sc sluice.StepContext) (sluice.Step, error) {
	return &worldStep{w, sc.Step.ID, sc.Report}, nil
}

func (w *world) did(verb string, id sluice.StepID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, fmt.Sprintf("%s %s", verb, id))
}

type worldStep struct {
	world  *world
	id     sluice.StepID
	report func(sluice.Progress)
}

func (s *worldStep) Check(ctx context.Context) (sluice.Preview, error) {
	if s.world.check != nil {
		s.world.check(ctx, s.id)
	}
	return sluice.Preview{}, nil
}

func (s *worldStep) Start(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	s.world.did("start", s.id)
	if f := s.world.start[s.id]; f != nil {
		return f(ctx, p)
	}
	return sluice.Progress{State: sluice.Done}, nil
}

func (s *worldStep) Observe(_ context.Context, p sluice.Progress) (sluice.Progress, error) {
	s.world.did("observe", s.id)
	if f := s.world.observe[s.id]; f != nil {
		return f(p)
	}
	return sluice.Progress{State: sluice.Done}, nil
}

func (s *worldStep) Finish(context.Context, sluice.Progress) error {
	s.world.did("finish", s.id)
	return nil
}

func (s *worldStep) Undo(context.Context, sluice.Progress) error {
	s.world.did("undo", s.id)
	if s.world.undoing != nil {
		return s.world.undoing(s.report)
	}
	if s.world.undo != nil {
		return s.world.undo()
	}
	return nil
}

// shop is a plan with a staging and a production target.
func shop() *sluice.Plan {
	step := func(target string, phase sluice.Phase, path string, after ...sluice.StepID) sluice.PlannedStep {
		return sluice.PlannedStep{ID: sluice.StepID(target + "/" + path), Target: target, Phase: phase, After: after}
	}
	return &sluice.Plan{
		Application: "shop",
		Targets: []sluice.PlannedTarget{
			{Name: "staging", AfterFailure: "keep"},
			{Name: "production", AfterFailure: "rollBack", DependsOn: []string{"staging"}},
		},
		Steps: []sluice.PlannedStep{
			step("staging", sluice.PhaseApply, "apply"),
			step("staging", sluice.PhaseAfter, "after/0", "staging/apply"),
			step("production", sluice.PhaseApply, "apply"),
			step("production", sluice.PhaseCanary, "canary/0", "production/apply"),
			step("production", sluice.PhasePromote, "promote", "production/canary/0"),
			step("production", sluice.PhaseOnRollback, "onRollback/0"),
		},
	}
}

func deploy(
	t *testing.T, w *world, during func(*engine.Engine, sluice.DeploymentID),
) (sluice.Status, *engine.State) {
	t.Helper()
	log := storetest.NewMemory()
	e := newEngine(t, log, w)
	id, err := e.Start(t.Context(), shop(), sluice.Actor{Name: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	if during != nil {
		synctest.Wait()
		during(e, id)
	}
	status, err := e.Wait(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	state, err := engine.Fold(id, log.Read(t.Context(), id, 0))
	if err != nil {
		t.Fatal(err)
	}
	return status, state
}

func failing(context.Context, sluice.Progress) (sluice.Progress, error) {
	return sluice.Progress{}, sluice.Errorf(sluice.Failed, "three orders are missing")
}

func TestAPlanIsCarriedOutInItsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		status, _ := deploy(t, w, nil)
		if status != sluice.StatusSucceeded {
			t.Errorf("status %s", status)
		}
		want := []string{
			"start staging/apply", "start staging/after/0", "finish staging/after/0", "finish staging/apply",
			"start production/apply", "start production/canary/0", "start production/promote",
		}
		got := slices.Clone(w.calls[:min(len(w.calls), 7)])
		slices.Sort(got[2:4])
		slices.Sort(want[2:4])
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
		if len(w.calls) != 10 {
			t.Errorf("%d calls, want 10: onRollback must not run", len(w.calls))
		}
	})
}

func TestAFailureUndoesItsTargetInReverseAndThenRunsOnRollback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{start: starts{"production/canary/0": failing}}
		status, state := deploy(t, w, nil)
		if status != sluice.StatusRolledBack || state.Target("staging") != sluice.StatusSucceeded {
			t.Errorf("status %s, staging %s", status, state.Target("staging"))
		}
		want := []string{"start production/canary/0", "undo production/canary/0", "undo production/apply",
			"start production/onRollback/0", "finish production/onRollback/0"}
		if diff := cmp.Diff(want, w.calls[len(w.calls)-5:]); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}

func TestAFailedAfterStepKeepsItsTargetAndStopsDependents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{start: starts{"staging/after/0": failing}}
		status, state := deploy(t, w, nil)
		if status != sluice.StatusFailed || state.Target("staging") != sluice.StatusFailed ||
			state.Target("production") != sluice.StatusSkipped {
			t.Errorf("status %s, staging %s, production %s", status, state.Target("staging"), state.Target("production"))
		}
		if slices.Contains(w.calls, "undo staging/apply") || !slices.Contains(w.calls, "finish staging/apply") {
			t.Errorf("staging was not kept: %v", w.calls)
		}
	})
}

func approval(context.Context, sluice.Progress) (sluice.Progress, error) {
	wait := &sluice.Wait{Signals: []string{sluice.SignalApprove}, Roles: []string{"release"}}
	return sluice.Progress{State: sluice.Waiting, Wait: wait}, nil
}

func approve(step sluice.StepID, roles ...string) sluice.Signal {
	return sluice.Signal{Kind: sluice.SignalApprove, Step: step, By: sluice.Actor{Roles: roles}}
}

func TestAPersonDecides(t *testing.T) {
	const canary = "production/canary/0"
	cases := map[string]struct {
		reason string
		signal sluice.Signal
		code   sluice.Code
		status sluice.Status
	}{
		"approved": {
			"an approval of somebody with the role goes on", approve(canary, "release"), "", sluice.StatusSucceeded,
		},
		"no role": {"an approval without the role is refused", approve(canary), sluice.Denied, sluice.StatusCancelled},
		"not waited": {
			"a callback that nobody waits for is refused", sluice.Signal{Kind: sluice.SignalCallback, Step: canary},
			sluice.Conflict, sluice.StatusCancelled,
		},
		"no step": {"an unknown step is named", approve("production/canary/9"), sluice.NotFound, sluice.StatusCancelled},
		"roll back": {
			"everything unfinished is undone", sluice.Signal{Kind: sluice.SignalRollBack}, "", sluice.StatusRolledBack,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &world{start: starts{"production/canary/0": approval}}
				status, _ := deploy(t, w, func(e *engine.Engine, id sluice.DeploymentID) {
					if err := e.Signal(t.Context(), id, c.signal); sluice.ErrorCode(err) != c.code {
						t.Errorf("%s: signal: %v", c.reason, err)
					}
					if c.code != "" {
						if err := e.Signal(t.Context(), id, sluice.Signal{Kind: sluice.SignalCancel}); err != nil {
							t.Error(err)
						}
					}
				})
				if status != c.status {
					t.Errorf("%s: status %s, want %s", c.reason, status, c.status)
				}
				if c.status == sluice.StatusCancelled && slices.Contains(w.calls, "start production/onRollback/0") {
					t.Errorf("a cancelled deployment put data back")
				}
			})
		})
	}
}

func TestASignalThatEndsTheDeploymentIsAcknowledged(t *testing.T) {
	w := &world{start: starts{"staging/apply": approval}}
	for range 500 {
		e := newEngine(t, storetest.NewMemory(), w)
		id, err := e.Start(t.Context(), shop(), sluice.Actor{Name: "ada"})
		if err != nil {
			t.Fatal(err)
		}
		runtime.Gosched() // the end overtakes the answer in a few of a hundred
		if err := e.Signal(t.Context(), id, sluice.Signal{Kind: sluice.SignalCancel}); err != nil {
			t.Fatalf("a signal that was recorded: %v", err)
		}
		if err := e.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhatWasDoneWhenTheEngineStopsIsNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{start: starts{
			"staging/apply": func(ctx context.Context, _ sluice.Progress) (sluice.Progress, error) {
				<-ctx.Done() // the answer to a request that was sent comes in just now
				return sluice.Progress{State: sluice.Done}, nil
			},
		}}
		log := storetest.NewMemory()
		first := newEngine(t, log, w)
		id, err := first.Start(t.Context(), shop(), sluice.Actor{Name: "ada"})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := first.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		second := newEngine(t, log, w)
		if err := second.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		if status, err := second.Wait(t.Context(), id); status != sluice.StatusSucceeded || err != nil {
			t.Errorf("status %s, %v", status, err)
		}
		starts := slices.DeleteFunc(slices.Clone(w.calls), func(call string) bool { return call != "start staging/apply" })
		if len(starts) != 1 {
			t.Errorf("it was done %d times", len(starts))
		}
	})
}

func TestARollbackBeforeTheLastTargetBeganIsNoCancel(t *testing.T) {
	for kind, want := range map[string]sluice.Status{
		sluice.SignalRollBack: sluice.StatusRolledBack, sluice.SignalCancel: sluice.StatusCancelled,
	} {
		synctest.Test(t, func(t *testing.T) {
			w := &world{start: starts{"staging/apply": approval}}
			status, state := deploy(t, w, func(e *engine.Engine, id sluice.DeploymentID) {
				if err := e.Signal(t.Context(), id, sluice.Signal{Kind: kind}); err != nil {
					t.Error(err)
				}
			})
			if status != want || state.Target("production") != sluice.StatusCancelled {
				t.Errorf("%s: status %s, production %s", kind, status, state.Target("production"))
			}
		})
	}
}

func TestWhatIsSubmittedIsBegunByTheNextEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		log := storetest.NewMemory()
		first := newEngine(t, log, w)
		id, err := first.Submit(t.Context(), shop(), sluice.Actor{Name: "ada"})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := first.Stop(t.Context()); err != nil || len(w.calls) > 0 {
			t.Errorf("the first engine did %q, %v", w.calls, err)
		}
		second := newEngine(t, log, w)
		if err := second.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		if status, err := second.Wait(t.Context(), id); status != sluice.StatusSucceeded || err != nil {
			t.Errorf("status %s, %v", status, err)
		}
	})
}

func TestAnOutageIsTriedAgainAndToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		w := &world{start: starts{
			"staging/apply": func(context.Context, sluice.Progress) (sluice.Progress, error) {
				if tries++; tries < 6 {
					return sluice.Progress{}, sluice.Errorf(sluice.Unavailable, "the cluster is away")
				}
				return sluice.Progress{State: sluice.Done}, nil
			},
		}}
		if status, _ := deploy(t, w, nil); status != sluice.StatusSucceeded || tries != 6 {
			t.Errorf("status %s after %d tries", status, tries)
		}
	})
}

// Outages that a step has hours between them do not add up to one, but a step that never comes further gives up.
func TestOutagesAfterLongWorkAreTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		w := &world{start: starts{
			"staging/apply": func(context.Context, sluice.Progress) (sluice.Progress, error) {
				if tries++; tries < 4 {
					time.Sleep(time.Hour)
					return sluice.Progress{}, sluice.Errorf(sluice.Unavailable, "the cluster is away")
				}
				return sluice.Progress{State: sluice.Done}, nil
			},
		}}
		if status, _ := deploy(t, w, nil); status != sluice.StatusSucceeded || tries != 4 {
			t.Errorf("status %s after %d tries", status, tries)
		}
		w.start["staging/apply"] = func(context.Context, sluice.Progress) (sluice.Progress, error) {
			time.Sleep(time.Hour)
			return sluice.Progress{}, sluice.Errorf(sluice.Unavailable, "the cluster is away")
		}
		if status, _ := deploy(t, w, nil); status != sluice.StatusRolledBack {
			t.Errorf("status %s of a step that never comes further", status)
		}
	})
}

// Credentials that are refused may be replaced: they are no missing right, which fails a step at once.
func TestAStartWaitsForNewCredentials(t *testing.T) {
	for code, want := range map[sluice.Code]sluice.Status{
		sluice.Unauthenticated: sluice.StatusSucceeded, sluice.Denied: sluice.StatusRolledBack,
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			w := &world{start: starts{
				"staging/apply": func(context.Context, sluice.Progress) (sluice.Progress, error) {
					if time.Since(began) < 30*time.Second {
						return sluice.Progress{}, sluice.Errorf(code, "no")
					}
					return sluice.Progress{State: sluice.Done}, nil
				},
			}}
			if status, _ := deploy(t, w, nil); status != want {
				t.Errorf("%s: status %s, want %s", code, status, want)
			}
		})
	}
}

func TestAnOutageBeyondTheBudgetFailsTheStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{start: starts{
			"staging/apply": func(context.Context, sluice.Progress) (sluice.Progress, error) {
				return sluice.Progress{}, sluice.Errorf(sluice.Unavailable, "the cluster is away").WithHint("start it")
			},
		}}
		began := time.Now()
		status, state := deploy(t, w, nil)
		if status != sluice.StatusRolledBack || state.Steps["staging/apply"].Failure.Hint != "start it" {
			t.Errorf("status %s, failure %+v", status, state.Steps["staging/apply"].Failure)
		}
		if spent := time.Since(began); spent < time.Minute || spent > 2*time.Minute {
			t.Errorf("gave up after %s", spent)
		}
	})
}

// What an undo leaves behind, nobody else clears away: it has an hour, and nothing ends it before that somebody can
// still repair. What no waiting mends ends it at once.
func TestAnUndoIsTriedMuchLonger(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		lasts  time.Duration
		status sluice.Status
		within time.Duration // it ends after the last try that fails
	}{
		"away":     {sluice.Errorf(sluice.Unavailable, "away"), 58 * time.Minute, sluice.StatusRolledBack, time.Minute},
		"no space": {sluice.Errorf(sluice.Exhausted, "full"), 58 * time.Minute, sluice.StatusRolledBack, time.Minute},
		"no right": {sluice.Errorf(sluice.Denied, "no"), 58 * time.Minute, sluice.StatusRolledBack, time.Minute},
		"no login": {sluice.Errorf(sluice.Unauthenticated, "who?"), 58 * time.Minute, sluice.StatusRolledBack, time.Minute},
		"not in time for want of space": {
			&sluice.Error{Code: sluice.Failed, Err: sluice.Errorf(sluice.Exhausted, "exceeded quota")},
			58 * time.Minute, sluice.StatusRolledBack, time.Minute},
		"one of two may pass": {
			errors.Join(sluice.Errorf(sluice.Conflict, "a"), sluice.Errorf(sluice.Denied, "b")),
			58 * time.Minute, sluice.StatusRolledBack, time.Minute},
		"away for good":     {sluice.Errorf(sluice.Unavailable, "away"), 2 * time.Hour, sluice.StatusFailed, 0},
		"changed by others": {sluice.Errorf(sluice.Conflict, "theirs"), time.Second, sluice.StatusFailed, 0},
		"it does not work":  {sluice.Errorf(sluice.Failed, "broken"), time.Second, sluice.StatusFailed, 0},
		"a defect":          {errors.New("index out of range"), time.Second, sluice.StatusFailed, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, tries := time.Now(), 0
				w := &world{
					start: starts{"staging/apply": failing},
					undo: func() error {
						if tries++; time.Since(began) < c.lasts {
							return c.err
						}
						return nil
					},
				}
				if status, _ := deploy(t, w, nil); status != c.status {
					t.Errorf("status %s after %d tries, want %s", status, tries, c.status)
				}
				if spent := time.Since(began); spent > time.Hour+c.within || c.within > 0 && spent > c.lasts+c.within {
					t.Errorf("ended after %s", spent)
				}
			})
		})
	}
}

func TestAStartDoesNotWaitForSpace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		w := &world{start: starts{
			"staging/apply": func(context.Context, sluice.Progress) (sluice.Progress, error) {
				tries++
				return sluice.Progress{}, sluice.Errorf(sluice.Exhausted, "the disk is full")
			},
		}}
		if status, _ := deploy(t, w, nil); status != sluice.StatusRolledBack || tries != 1 {
			t.Errorf("status %s after %d tries", status, tries)
		}
	})
}

func TestATimerEndsAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{start: starts{
			"production/canary/0": func(context.Context, sluice.Progress) (sluice.Progress, error) {
				return sluice.Progress{State: sluice.Waiting, Wait: &sluice.Wait{Until: time.Now().Add(time.Hour)}}, nil
			},
		}}
		began := time.Now()
		status, _ := deploy(t, w, nil)
		if status != sluice.StatusSucceeded || time.Since(began) != time.Hour {
			t.Errorf("status %s after %s", status, time.Since(began))
		}
	})
}

// missing makes no step.
type missing struct{}

func (missing) New(sc sluice.StepContext) (sluice.Step, error) {
	return nil, sluice.Errorf(sluice.Invalid, "it is not configured")
}

func TestEveryStepThatCannotBeMadeIsNamed(t *testing.T) {
	_, err := newEngine(t, storetest.NewMemory(), missing{}).Start(t.Context(), shop(), sluice.Actor{Name: "ada"})
	for _, p := range shop().Steps {
		if err == nil || !strings.Contains(err.Error(), string(p.ID)+": it is not configured") {
			t.Errorf("the error does not name %s: %v", p.ID, err)
		}
	}
	if sluice.ErrorCode(err) != sluice.Invalid {
		t.Errorf("the code is %s", sluice.ErrorCode(err))
	}
}
