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
	until       time.Time // not final: until when it is tried again
	told        bool      // not final: this outage was reported before
	waitsFor    string    // not final: what the undo waits for
	interrupted bool
	final       bool
}

var errAborted = errors.New("the target is being undone")

// begin starts a verb.
func (r *runner) begin(ctx context.Context, a Action, results map[sluice.StepID]sluice.Result) {
	progress := r.state.Steps[a.Step].Progress
	sc := r.state.stepContext(a.Step)
	sc.Results = results
	guards := r.guardsBeside(sc, a.Verb)
	ctx, cancel := context.WithCancelCause(ctx)
	sc.Report = r.reporter(ctx, a)
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

// reporter returns what shows the progress of a verb. What an undo waits for is also recorded: status reads it there.
func (r *runner) reporter(ctx context.Context, a Action) func(sluice.Progress) {
	show := func(p sluice.Progress) { r.engine.hub.report(r.state.ID, a.Step, p) }
	if a.Verb != VerbUndo {
		return show
	}
	n := &notice{changed: make(bell, 1)}
	go n.follow(ctx, func(message string) {
		select {
		case r.results <- result{step: a.Step, verb: a.Verb, waitsFor: message}:
		case <-ctx.Done():
		}
	})
	return func(p sluice.Progress) {
		show(p)
		n.take(p.Message)
	}
}

// perform runs a verb and tries again for as long as that may help.
func (r *runner) perform(ctx context.Context, a Action, sc sluice.StepContext, p sluice.Progress) result {
	left := r.engine.patience(a.Verb)
	for {
		began := r.engine.config.Now()
		progress, err := r.try(ctx, a.Verb, sc, p)
		if err == nil {
			return result{step: a.Step, verb: a.Verb, progress: progress, final: true}
		}
		if ctx.Err() != nil {
			return result{step: a.Step, verb: a.Verb, interrupted: true, final: true}
		}
		failure := recorded(err, progress.Result)
		told := left.lose(max(0, r.engine.config.Now().Sub(began)))
		if !heals(a.Verb, err) || left.isOver() {
			return result{step: a.Step, verb: a.Verb, progress: progress, failure: failure, final: true}
		}
		r.results <- result{step: a.Step, verb: a.Verb, failure: failure, until: left.until, told: told}
		if !sleep(ctx, left.next()) {
			return result{step: a.Step, verb: a.Verb, interrupted: true, final: true}
		}
	}
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
