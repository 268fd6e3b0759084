package engine

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/sluice-cd/sluice"
)

// A call is a verb that is running.
type call struct {
	verb   Verb
	cancel context.CancelCauseFunc
}

// A result is the result of a verb. If it is not final, the verb is being tried again.
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

// begin starts a verb.
func (r *runner) begin(ctx context.Context, a Action, results map[sluice.StepID]sluice.Result) {
	progress := r.state.Steps[a.Step].Progress
	sc := r.state.stepContext(a.Step)
	sc.Results = results
	sc.Report = func(p sluice.Progress) { r.engine.hub.report(r.state.ID, a.Step, p) }
	guards := r.guardsBeside(sc, a.Verb)
	ctx, cancel := context.WithCancelCause(ctx)
	r.calls[a.Step] = &call{a.Verb, cancel}
	go func() {
		defer cancel(nil)
		res := r.perform(ctx, a, sc, progress)
		if res.failure == nil && res.progress.State == sluice.Done {
			res = r.confirm(ctx, res, guards)
		}
		r.results <- res
	}()
}

// lostAtMost is how much of one try counts as lost to an outage. A longer try did useful work before.
const lostAtMost = 10 * time.Second

// perform runs a verb and tries again while something is unavailable. Only the time lost to outages counts against the
// budget, so several short outages during hours of work do not end a step. An undo has ten times the usual budget, and
// is also tried again if space or a port is missing, because nobody else cleans up what it leaves behind.
func (r *runner) perform(ctx context.Context, a Action, sc sluice.StepContext, p sluice.Progress) result {
	budget := r.engine.config.RetryFor
	if a.Verb == VerbUndo {
		budget *= 10
	}
	var spent time.Duration
	pause := 50 * time.Millisecond
	for told := false; ; told = true {
		began := r.engine.config.Now()
		progress, err := r.try(ctx, a.Verb, sc, p)
		if err == nil {
			return result{step: a.Step, verb: a.Verb, progress: progress, final: true}
		}
		if ctx.Err() != nil {
			return result{step: a.Step, verb: a.Verb, interrupted: true, final: true}
		}
		failure := recorded(err, progress.Result)
		took := max(0, r.engine.config.Now().Sub(began))
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
			r.results <- result{step: a.Step, verb: a.Verb, failure: failure, until: r.engine.config.Now().Add(budget)}
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

// try calls the verb once. A panic fails the step, not the process.
func (r *runner) try(
	ctx context.Context, verb Verb, sc sluice.StepContext, p sluice.Progress,
) (out sluice.Progress, err error) {
	defer func() { err = cmp.Or(panicked(recover(), sc.Step.ID, verb), err) }()
	step, err := r.engine.config.Steps.New(sc)
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

// panicked returns the error for what was recovered, nil if nothing was.
func panicked(v any, id sluice.StepID, verb Verb) error {
	if v == nil {
		return nil
	}
	return sluice.Errorf(sluice.Internal, "step %s panicked in %s: %v", id, verb, v).
		WithHint("this is a defect of Sluice; please report it")
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

// persist calls use until it works, fails permanently, or ctx is cancelled.
func (e *Engine) persist(ctx context.Context, use func() error) error {
	pause := 10 * time.Millisecond
	for told := false; ; told = true {
		err := use()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		code := sluice.ErrorCode(err)
		if code != sluice.Unavailable && code != sluice.Exhausted {
			return err
		}
		if !told {
			e.config.Logger.Error("the store cannot be used; deployments stand still until it can",
				"error", err, "hint", sluice.ErrorHint(err))
		}
		if !sleep(ctx, pause) {
			return context.Cause(ctx)
		}
		pause = min(pause*2, time.Second)
	}
}
