package service

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/history"
	"github.com/sluice-cd/sluice/internal/plan"
)

// A RollbackRequest says what is to be rolled back, and how.
type RollbackRequest struct {
	Deployment string   // an id or its beginning; "": the one that runs, or the latest that brought a release
	Gates      bool     // go through the weights and gates of the earlier releases again
	Data       []string // checkpoints that are put back too; none: data is left as it is
	TakeOver   []string // the field managers whose fields it may take
	By         sluice.Actor
	Reason     string
}

// A Rollback is what rolling back means, before anything is done.
type Rollback struct {
	Application string
	Running     *sluice.Deployment // a deployment that still runs; it is rolled back by a signal, and the rest is absent
	Unfinished  *sluice.Deployment // one whose undo failed; that goes on, and the rest is absent
	Targets     []TargetRollback
	Plan        *sluice.Plan
}

// A TargetRollback is what rolling back means for one target.
type TargetRollback struct {
	Target  string
	Now     sluice.Release
	Back    *sluice.Release     // nil: the target is left alone
	Reason  string              // why it is left alone
	Gone    []sluice.Ref        // what is deleted
	Restore *sluice.Checkpoint  // what is put back; nil: data is left as it is
	Choices []sluice.Checkpoint // what could be put back: the target's data before its current release
	HasData bool                // a data step of the current release acted on the target

	restore *sluice.RestoreData // that puts Restore back
}

// PlanRollback finds the release that each target goes back to and changes nothing. It returns NotFound if there is no
// deployment, or nothing to go back to in any target. store may show only some applications; all says what any of them
// uses, so that it is kept.
func PlanRollback(
	ctx context.Context, store sluice.Store, all *history.Index, q RollbackRequest,
) (*Rollback, error) {
	list, err := store.Deployments(ctx, "")
	if err != nil {
		return nil, err
	}
	d, err := chosen(ctx, store, list, q.Deployment)
	if err != nil {
		return nil, err
	}
	failed, err := FailedUndos(ctx, store, d.Application)
	if err != nil {
		return nil, err
	}
	r := &Rollback{Application: d.Application}
	switch {
	case !hasEnded(d):
		r.Running = &d
	case slices.Contains(failed, d.ID):
		r.Unfinished = &d
	}
	if r.Running != nil || r.Unfinished != nil {
		return r, q.checkUndo(d)
	}
	if err := r.findTargets(ctx, store, d, q.Deployment != ""); err != nil {
		return nil, err
	}
	if err := r.keepUsed(ctx, all); err != nil {
		return nil, err
	}
	if err := r.findData(ctx, store, q); err != nil {
		return nil, err
	}
	r.compile(q)
	return r, nil
}

// checkUndo refuses what the undo of a deployment cannot do.
func (q RollbackRequest) checkUndo(d sluice.Deployment) error {
	if !q.Gates && len(q.Data)+len(q.TakeOver) == 0 {
		return nil
	}
	return sluice.Errorf(sluice.Invalid,
		"deployment %s has not ended, or its undo failed; to undo it takes no checkpoint, no gates and no --take-over", d.ID).
		WithHint("undo it with: sluice rollback %s; put data back afterwards with: sluice data restore", d.ID)
}

// chosen returns the deployment that is meant: the named one, the only one that runs, or the latest of the only
// application. A rehearsal is meant only if nothing was deployed for real.
func chosen(
	ctx context.Context, store sluice.Store, list []sluice.Deployment, arg string,
) (sluice.Deployment, error) {
	d, err := Find(list, arg, IsRunning)
	if err == nil || arg != "" || sluice.ErrorCode(err) != sluice.NotFound {
		return d, err
	}
	latest, real := map[string]sluice.DeploymentID{}, map[string]bool{}
	for _, d := range list {
		if real[d.Application] {
			continue
		}
		made, err := planOf(ctx, store, d.ID)
		if err != nil {
			return sluice.Deployment{}, err
		}
		rehearsed := made.Rehearsal != nil
		if latest[d.Application] == "" || !rehearsed {
			latest[d.Application], real[d.Application] = d.ID, !rehearsed
		}
	}
	return Find(list, "", func(d sluice.Deployment) bool { return latest[d.Application] == d.ID })
}

// findTargets looks up the targets that run what the deployment brought. A deployment that was not named stands for the
// latest one that brought anything.
func (r *Rollback) findTargets(ctx context.Context, store sluice.Store, d sluice.Deployment, named bool) error {
	state, err := engine.Fold(d.ID, store.Read(ctx, d.ID, 0))
	if err != nil {
		return err
	}
	targets := func(h *history.History) []string {
		if !named {
			_, latest := h.Latest()
			return latest
		}
		var all []string
		for _, t := range state.Plan.Targets {
			all = append(all, t.Name)
		}
		return all
	}
	h, err := history.Read(ctx, store, d.Application, state.Plan.Rehearsal != nil, func(h *history.History) bool {
		names := targets(h)
		return len(names) > 0 && !slices.ContainsFunc(names, func(t string) bool { return len(h.Target(t)) < 2 })
	})
	if err != nil {
		return err
	}
	for _, name := range targets(h) {
		now, ok := h.Current(name)
		if named && ok && now.By != d.ID && now.Deployment != d.ID {
			ok = false
			reason := "it runs release " + string(now.Deployment)
			r.Targets = append(r.Targets, TargetRollback{Target: name, Now: now, Reason: reason})
		}
		if ok {
			r.Targets = append(r.Targets, goBack(h, now))
		}
	}
	return r.checkAny(d)
}

// keepUsed deletes nothing that other targets or other applications will still run.
func (r *Rollback) keepUsed(ctx context.Context, all *history.Index) error {
	rehearsed := false
	var users []string
	for _, t := range r.Targets {
		if len(t.Gone) == 0 {
			continue
		}
		where, _ := t.Back.Plan.Target(t.Target)
		more, err := all.Users(ctx, where.Account, t.Gone)
		if err != nil {
			return err
		}
		users, rehearsed = append(users, more...), t.Back.Plan.Rehearsal != nil
	}
	slices.Sort(users)
	used, err := history.Running(ctx, all, rehearsed, slices.Compact(users))
	if err != nil {
		return err
	}
	used = slices.DeleteFunc(used, func(now sluice.Release) bool {
		return now.Plan.Application == r.Application && slices.ContainsFunc(r.Targets, func(t TargetRollback) bool {
			return t.Target == now.Target && t.Back != nil
		})
	})
	for _, t := range r.Targets {
		if t.Back != nil {
			used = append(used, *t.Back)
		}
	}
	for i, t := range r.Targets {
		if t.Back == nil {
			continue
		}
		where, _ := t.Back.Plan.Target(t.Target)
		r.Targets[i].Gone = slices.DeleteFunc(t.Gone, func(o sluice.Ref) bool {
			return slices.ContainsFunc(used, func(u sluice.Release) bool { return history.Has(u, where.Account, o) })
		})
	}
	return nil
}

func goBack(h *history.History, now sluice.Release) TargetRollback {
	t := TargetRollback{Target: now.Target, Now: now}
	before, ok := h.Before(now.Target)
	if !ok {
		t.Reason = whyNot(h, now)
		return t
	}
	planned, _ := now.Plan.Target(now.Target)
	t.Back, t.Gone, t.HasData = &before, h.Gone(before), planned.RollbackClass != ""
	return t
}

// whyNot says why a target has no release to go back to.
func whyNot(h *history.History, now sluice.Release) string {
	switch {
	case len(h.Target(now.Target)) > 1:
		return "its earlier release ran in another account or namespace"
	case h.Repeated(now):
		return "each of its deployments brought the same objects"
	}
	return "it ran no release before " + string(now.Deployment)
}

func (r *Rollback) checkAny(d sluice.Deployment) error {
	if slices.ContainsFunc(r.Targets, func(t TargetRollback) bool { return t.Back != nil }) {
		return nil
	}
	var why []string
	for _, t := range r.Targets {
		why = append(why, t.Target+": "+t.Reason)
	}
	if len(why) == 0 {
		why = []string{fmt.Sprintf("no target runs what deployment %s brought", d.ID)}
	}
	return sluice.Errorf(sluice.NotFound, "there is nothing to go back to; %s", strings.Join(why, "; ")).
		WithHint("deploy the release that you want with: sluice run -f deploy.yaml")
}

// findData looks up the checkpoints that are put back, and those that could be.
func (r *Rollback) findData(ctx context.Context, store sluice.Store, q RollbackRequest) error {
	all, err := store.Checkpoints(ctx, r.Application)
	if err != nil {
		return err
	}
	for i, t := range r.Targets {
		if t.Back == nil {
			continue
		}
		for _, c := range all {
			if slices.Contains(t.Now.Checkpoints, c.ID) {
				r.Targets[i].Choices = append(r.Targets[i].Choices, c)
			}
		}
	}
	for _, arg := range q.Data {
		c, err := FindCheckpoint(all, arg)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(r.Targets, func(t TargetRollback) bool { return t.Target == c.Target && t.Back != nil })
		if i < 0 {
			return sluice.Errorf(sluice.Invalid,
				"checkpoint %s is of the target %s, which does not go back to an earlier release", c.ID, c.Target).
				WithHint("restore it separately with: sluice data restore %s", c.ID)
		}
		if r.Targets[i].Restore != nil {
			return sluice.Errorf(sluice.Invalid, "two checkpoints are to be put back into the target %s", c.Target).
				WithHint("name one of them, and put the other one back with: sluice data restore")
		}
		data, err := restoring(ctx, store, c, r.Targets[i].Now.Plan, q.By)
		if err != nil {
			return err
		}
		r.Targets[i].Restore, r.Targets[i].restore = &c, &data
	}
	return nil
}

func (r *Rollback) compile(q RollbackRequest) {
	var returns []plan.Return
	for _, t := range r.Targets {
		if t.Back == nil {
			continue
		}
		returns = append(returns, plan.Return{Release: *t.Back, Gone: t.Gone, Restore: t.restore})
	}
	r.Plan = plan.Back(returns, plan.BackOptions{Gates: q.Gates, Reason: q.Reason, TakeOver: q.TakeOver})
}
