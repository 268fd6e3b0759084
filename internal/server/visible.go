package server

import (
	"context"
	"iter"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/readonly"
)

// Visible returns the store as the caller may see it. Deployments and checkpoints of applications that the caller may
// not view are absent. Without [access.ReadReports] verifications name no keys. Nothing can be changed: that is Denied.
func (s *Server) Visible(c access.Caller) sluice.Store { return s.visible(c) }

func (s *Server) visible(c access.Caller) visible {
	return visible{readonly.Store{Refusal: errReadOnly}, s.Store, c}
}

var errReadOnly = sluice.Errorf(sluice.Denied, "this view of the store changes nothing")

type visible struct {
	readonly.Store
	store  sluice.Store
	caller access.Caller
}

func (v visible) sees(application string) bool { return v.caller.May(access.View, application, "") }

func absent(id sluice.DeploymentID) error {
	return sluice.Errorf(sluice.NotFound, "there is no deployment %q", id).WithHint("see them with: sluice status")
}

// Read yields the events of a visible deployment.
func (v visible) Read(ctx context.Context, id sluice.DeploymentID, after sluice.Seq) iter.Seq2[sluice.Event, error] {
	return func(yield func(sluice.Event, error) bool) {
		p, err := v.plan(ctx, id)
		if err != nil {
			yield(sluice.Event{}, err)
			return
		}
		for e, err := range v.store.Read(ctx, id, after) {
			if !yield(v.event(p.Application, e), err) {
				return
			}
		}
	}
}

// plan returns the plan of a visible deployment.
func (v visible) plan(ctx context.Context, id sluice.DeploymentID) (*sluice.Plan, error) {
	for e, err := range v.store.Read(ctx, id, 0) {
		if err == nil && (e.Plan == nil || !v.sees(e.Plan.Application)) {
			err = absent(id)
		}
		return e.Plan, err
	}
	return nil, absent(id)
}

// event returns the event without the keys of a database, unless the caller may read them.
func (v visible) event(application string, e sluice.Event) sluice.Event {
	target := ""
	if e.Step != "" {
		target = e.Step.Target()
	}
	if v.caller.May(access.ReadReports, application, target) {
		return e
	}
	if e.Progress != nil && e.Progress.Result != nil {
		p := *e.Progress
		p.Result = withoutKeys(p.Result)
		e.Progress = &p
	}
	if e.Failure != nil && e.Failure.Result != nil {
		f := *e.Failure
		f.Result = withoutKeys(f.Result)
		e.Failure = &f
	}
	return e
}

func withoutKeys(r *sluice.Result) *sluice.Result {
	if r.Verification == nil {
		return r
	}
	kept, v := *r, *r.Verification
	v.Comparison.Collections = slices.Clone(v.Comparison.Collections)
	for i, c := range v.Comparison.Collections {
		c.MissingKeys, c.AddedKeys, c.ChangedKeys = nil, nil, nil
		v.Comparison.Collections[i] = c
	}
	kept.Verification = &v
	return &kept
}

// Deployments lists the visible ones.
func (v visible) Deployments(ctx context.Context, application string) ([]sluice.Deployment, error) {
	list, err := v.store.Deployments(ctx, application)
	return slices.DeleteFunc(list, func(d sluice.Deployment) bool { return !v.sees(d.Application) }), err
}

// Unended lists the visible ones.
func (v visible) Unended(ctx context.Context) ([]sluice.DeploymentID, error) {
	all, err := v.store.Unended(ctx)
	if err != nil {
		return nil, err
	}
	var seen []sluice.DeploymentID
	for _, id := range all {
		_, err := v.plan(ctx, id)
		if err == nil {
			seen = append(seen, id)
		} else if sluice.ErrorCode(err) != sluice.NotFound {
			return nil, err
		}
	}
	return seen, nil
}

// Checkpoint returns a visible one.
func (v visible) Checkpoint(ctx context.Context, id sluice.CheckpointID) (sluice.Checkpoint, error) {
	c, err := v.store.Checkpoint(ctx, id)
	if err == nil && !v.sees(c.Application) {
		return sluice.Checkpoint{}, sluice.Errorf(sluice.NotFound, "there is no checkpoint %s", id)
	}
	return c, err
}

// Checkpoints lists the visible ones.
func (v visible) Checkpoints(ctx context.Context, application string) ([]sluice.Checkpoint, error) {
	list, err := v.store.Checkpoints(ctx, application)
	return slices.DeleteFunc(list, func(c sluice.Checkpoint) bool { return !v.sees(c.Application) }), err
}

// Letters lists those of a visible deployment.
func (v visible) Letters(ctx context.Context, id sluice.DeploymentID) ([]sluice.Letter, error) {
	if _, err := v.plan(ctx, id); err != nil {
		return nil, err
	}
	return v.store.Letters(ctx, id)
}

// Leased reports it of a visible deployment.
func (v visible) Leased(ctx context.Context, id sluice.DeploymentID) (bool, error) {
	if _, err := v.plan(ctx, id); err != nil {
		return false, err
	}
	return v.store.Leased(ctx, id)
}

// Newest is that of the whole store.
func (v visible) Newest(ctx context.Context) (sluice.Cursor, error) { return v.store.Newest(ctx) }

// Tail yields the entries of visible deployments.
func (v visible) Tail(ctx context.Context, after sluice.Cursor) iter.Seq2[sluice.Entry, error] {
	return func(yield func(sluice.Entry, error) bool) {
		applications := map[sluice.DeploymentID]string{} // of those that have not ended; "": it is not visible
		for entry, err := range v.store.Tail(ctx, after) {
			if err != nil {
				yield(entry, err)
				return
			}
			application, known := applications[entry.Deployment]
			if !known {
				p, err := v.plan(ctx, entry.Deployment)
				if err == nil {
					application = p.Application
				} else if sluice.ErrorCode(err) != sluice.NotFound {
					yield(sluice.Entry{}, err)
					return
				}
				applications[entry.Deployment] = application
			}
			if entry.Event.Kind == sluice.DeploymentEnded {
				delete(applications, entry.Deployment)
			}
			if entry.Event = v.event(application, entry.Event); application != "" && !yield(entry, nil) {
				return
			}
		}
	}
}
