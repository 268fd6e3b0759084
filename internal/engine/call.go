package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-cd/sluice"
)

// A call is one verb under way.
type call struct {
	verb   Verb
	cancel context.CancelCauseFunc
}

// A result is what a verb came to, or, unless final, that it is being tried again.
type result struct {
	step        sluice.StepID
	verb        Verb
	progress    sluice.Progress
	failure     *sluice.Failure
	until       time.Time
	interrupted bool
	final       bool
}

var errAborted = errors.New("the target is being undone")

// begin sets a verb going.
func (r *runner) begin(ctx context.Context, a Action) {
	run := r.state.Steps[a.Step]
	target, _ := r.state.Plan.Target(run.Plan.Target)
	progress := run.Progress
	sc := sluice.StepContext{
		Deployment: r.state.ID, StartedAt: r.state.StartedAt, Plan: r.state.Plan, Target: target,
		Step: run.Plan, Results: r.state.Results(),
		Report: func(p sluice.Progress) { r.engine.hub.report(r.state.ID, a.Step, p) },
	}
	ctx, cancel := context.WithCancelCause(ctx)
	r.calls[a.Step] = &call{a.Verb, cancel}
	go func() {
		defer cancel(nil)
		r.results <- r.perform(ctx, a, sc, progress)
	}()
}

// lostAtMost is how much of one try may have been lost to an outage: what went on for longer had been at work before.
const lostAtMost = 10 * time.Second

// perform carries out a verb, trying again while something is unavailable. The budget is for what outages take: several
// short ones during hours of work do not end it. An undo is never given up before ten times the usual budget is spent, also
// where space or a port is missing: what it leaves behind, nobody else clears away.
func (r *runner) perform(ctx context.Context, a Action, sc sluice.StepContext, p sluice.Progress) result {
	budget := r.engine.retryFor
	if a.Verb == VerbUndo {
		budget *= 10
	}
	var spent time.Duration
	pause := 50 * time.Millisecond
	for told := false; ; told = true {
		began := r.engine.now()
		progress, err := r.try(ctx, a.Verb, sc, p)
		if err == nil {
			return result{step: a.Step, verb: a.Verb, progress: progress, final: true}
		}
		if ctx.Err() != nil {
			return result{step: a.Step, verb: a.Verb, interrupted: true, final: true}
		}
		failure := recorded(err, progress.Result)
		took := max(0, r.engine.now().Sub(began))
		if told {
			spent += min(took, lostAtMost)
		}
		if took > lostAtMost {
			pause = 50 * time.Millisecond
		}
		if !heals(a.Verb, failure.Code) || spent >= budget {
			return result{step: a.Step, verb: a.Verb, progress: progress, failure: failure, final: true}
		}
		if !told {
			r.results <- result{step: a.Step, verb: a.Verb, failure: failure, until: r.engine.now().Add(budget)}
		}
		wait := min(pause, budget-spent)
		if !sleep(ctx, wait) {
			return result{step: a.Step, verb: a.Verb, interrupted: true, final: true}
		}
		spent += wait
		pause = min(pause*2, 5*time.Second)
	}
}

// heals reports whether trying again may help.
func heals(verb Verb, code sluice.Code) bool {
	return code == sluice.Unavailable || verb == VerbUndo && code == sluice.Exhausted
}

// try calls the verb once. A step that panics has a defect, and only its own target suffers.
func (r *runner) try(ctx context.Context, verb Verb, sc sluice.StepContext, p sluice.Progress) (out sluice.Progress, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = sluice.Errorf(sluice.Internal, "step %s panicked in %s: %v", sc.Step.ID, verb, v).WithHint("this is a defect of Sluice; please report it")
		}
	}()
	step, err := r.engine.steps.New(sc)
	if err != nil {
		return p, err
	}
	switch verb {
	case VerbCheck:
		preview, err := step.Check(ctx)
		return sluice.Progress{Snapshot: preview.Snapshot, Changes: preview.Changes}, err
	case VerbStart:
		return valid(step.Start(ctx, p))
	case VerbObserve:
		return valid(step.Observe(ctx, p))
	case VerbFinish:
		return p, step.Finish(ctx, p)
	}
	return p, step.Undo(ctx, p)
}

// valid refuses progress that the engine could not act on.
func valid(p sluice.Progress, err error) (sluice.Progress, error) {
	if err != nil {
		return p, err
	}
	switch {
	case p.State == sluice.Waiting && (p.Wait == nil || p.Wait.Until.IsZero() && len(p.Wait.Signals) == 0):
		return p, sluice.Errorf(sluice.Internal, "the step waits for nothing")
	case p.State != sluice.Running && p.State != sluice.Waiting && p.State != sluice.Done:
		return p, sluice.Errorf(sluice.Internal, "the step reports the state %q", p.State)
	}
	return p, nil
}

func recorded(err error, evidence *sluice.Result) *sluice.Failure {
	code := sluice.ErrorCode(err)
	if errors.Is(err, context.DeadlineExceeded) {
		code = sluice.Unavailable
	}
	return &sluice.Failure{Code: code, Message: err.Error(), Hint: sluice.ErrorHint(err), Result: evidence}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// persist tries a write until it succeeds, is in conflict, or ctx is cancelled.
func persist(ctx context.Context, e *Engine, write func() error) error {
	pause := 10 * time.Millisecond
	for told := false; ; told = true {
		err := write()
		if err == nil {
			return nil
		}
		code := sluice.ErrorCode(err)
		if code != sluice.Unavailable && code != sluice.Exhausted {
			return fmt.Errorf("append to the log: %w", err)
		}
		if !told {
			e.logger.Error("the log cannot be written; deployments stand still until it can", "error", err, "hint", sluice.ErrorHint(err))
		}
		if !sleep(ctx, pause) {
			return context.Cause(ctx)
		}
		pause = min(pause*2, time.Second)
	}
}
