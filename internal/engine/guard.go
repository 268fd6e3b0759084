package engine

import (
	"cmp"
	"context"
	"time"

	"github.com/sluice-cd/sluice"
)

// A guard is the running guard of one step.
type guard struct {
	step   sluice.StepID
	cancel context.CancelFunc
}

// An alarm says what a guard found.
type alarm struct {
	guard   *guard
	failure *sluice.Failure
}

// verbGuard is what a guard's method is called in errors.
const verbGuard Verb = "guard"

// watch lets exactly the guards of these steps run.
func (r *runner) watch(ctx context.Context, ids []sluice.StepID) {
	wanted := map[sluice.StepID]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	for id, g := range r.guards {
		if !wanted[id] {
			g.cancel()
			delete(r.guards, id)
		}
	}
	for _, id := range ids {
		if r.guards[id] == nil {
			r.guard(ctx, id)
		}
	}
}

// guard runs the guard of a step until it is cancelled or something is not well.
func (r *runner) guard(ctx context.Context, id sluice.StepID) {
	sc := r.state.stepContext(id)
	sc.Results = r.state.Results()
	ctx, cancel := context.WithCancel(ctx)
	g := &guard{id, cancel}
	r.guards[id] = g
	r.watching.Go(func() {
		defer cancel()
		failure := r.ask(ctx, sc, sluice.Guard.Guard, func(*sluice.Failure) {})
		if failure == nil {
			return // it stays in the map, so that it is not run again
		}
		select {
		case r.alarms <- alarm{g, failure}:
		case <-ctx.Done():
		}
	})
}

// raise fails every step of the target that waits.
func (r *runner) raise(ctx context.Context, a alarm) error {
	id := a.guard.step
	if r.guards[id] != a.guard {
		return nil // it was to end
	}
	delete(r.guards, id)
	var events []sluice.Event
	for _, waiting := range r.state.targets[r.state.Steps[id].Plan.Target].waiting() {
		if c := r.calls[waiting]; c != nil {
			c.cancel(errAborted)
		}
		events = append(events, sluice.Event{Kind: sluice.StepFailed, Step: waiting, Failure: a.failure})
	}
	return r.append(ctx, events)
}

// guardsBeside returns the steps whose guards have to agree before the step is done.
func (r *runner) guardsBeside(sc sluice.StepContext, verb Verb) []sluice.StepContext {
	if sc.Step.Kind.ChangesPods() || sc.Step.Phase == sluice.PhaseOnRollback || verb != VerbStart && verb != VerbObserve {
		return nil
	}
	var list []sluice.StepContext
	for _, id := range r.state.targets[sc.Step.Target].guards() {
		guarded := r.state.stepContext(id)
		guarded.Results = sc.Results
		list = append(list, guarded)
	}
	return list
}

// confirm lets a step be done only if all guards find everything well.
func (r *runner) confirm(ctx context.Context, res result, guards []sluice.StepContext) result {
	for _, sc := range guards {
		failure := r.ask(ctx, sc, sluice.Guard.Well, func(f *sluice.Failure) {
			until := r.engine.config.Now().Add(r.engine.config.RetryFor)
			r.results <- result{step: res.step, verb: res.verb, failure: f, until: until}
		})
		if failure != nil || ctx.Err() != nil {
			return result{step: res.step, verb: res.verb, progress: res.progress, failure: failure,
				interrupted: ctx.Err() != nil, final: true}
		}
	}
	return res
}

// ask calls the method of the step's guard, if it is one, and calls it again for as long as the guard cannot see. away
// is called when that begins. It returns nil if all is well, or if ctx ended.
func (r *runner) ask(ctx context.Context, sc sluice.StepContext, method func(sluice.Guard, context.Context) error,
	away func(*sluice.Failure)) *sluice.Failure {
	pause := 50 * time.Millisecond
	for told := false; ; told = true {
		began := r.engine.config.Now()
		err := r.tryGuard(ctx, sc, method)
		if err == nil || ctx.Err() != nil {
			return nil
		}
		failure := recorded(err, nil)
		if !failure.Code.IsOutage() && failure.Code != sluice.Denied {
			return failure
		}
		if !told {
			away(failure)
		}
		if r.engine.config.Now().Sub(began) > lostAtMost {
			pause = 50 * time.Millisecond
		}
		if !sleep(ctx, pause) {
			return nil
		}
		pause = min(pause*2, 5*time.Second)
	}
}

func (r *runner) tryGuard(
	ctx context.Context, sc sluice.StepContext, method func(sluice.Guard, context.Context) error,
) (err error) {
	defer func() { err = cmp.Or(panicked(recover(), sc.Step.ID, verbGuard), err) }()
	step, err := r.engine.config.Steps.New(sc)
	if err != nil {
		return err
	}
	g, guards := step.(sluice.Guard)
	if !guards {
		return nil
	}
	return method(g, ctx)
}
