package notify

import (
	"context"
	"path"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/engine"
)

// A teller says what entries of the feed mean for one receiver. It follows the deployments that have not ended.
type teller struct {
	speaker
	log  Feed
	to   config.Receiver
	runs map[sluice.DeploymentID]*engine.State // nil: nothing of it is told
}

// tell returns what the entry means, nil if nothing. An entry that is told again gives the same.
func (t *teller) tell(ctx context.Context, entry sluice.Entry) (*Notification, error) {
	id, e := entry.Deployment, entry.Event
	s, known := t.runs[id]
	if !known {
		var err error
		if s, err = t.before(ctx, id, e); err != nil {
			return nil, err
		}
		t.runs[id] = s
	}
	if e.Kind == sluice.DeploymentEnded {
		delete(t.runs, id)
	}
	if s == nil {
		return nil, nil
	}
	kind := kindOf(s, e)
	if s.Apply(e); !slices.Contains(t.to.Events, kind) {
		return nil, nil
	}
	n := t.about(s, kind, e)
	return &n, nil
}

// before returns the deployment as it was before the event, nil if nothing of it is told. A rehearsal concerns only the
// person who rehearses.
func (t *teller) before(ctx context.Context, id sluice.DeploymentID, e sluice.Event) (*engine.State, error) {
	s := &engine.State{ID: id}
	if e.Plan != nil && e.Seq == 1 {
		return t.unless(e.Plan, s), nil
	}
	for earlier, err := range t.log.Read(ctx, id, 0) {
		if err != nil {
			return nil, err
		}
		if earlier.Plan != nil && t.unless(earlier.Plan, s) == nil {
			return nil, nil
		}
		if earlier.Seq >= e.Seq {
			break
		}
		s.Apply(earlier)
	}
	return s, nil
}

// unless returns the state, or nil if nothing of the plan is told.
func (t *teller) unless(p *sluice.Plan, s *engine.State) *engine.State {
	wanted := func(pattern string) bool {
		ok, err := path.Match(pattern, p.Application)
		return ok && err == nil
	}
	all := t.to.Applications
	if p.Rehearsal != nil || len(all) > 0 && !slices.ContainsFunc(all, wanted) {
		return nil
	}
	return s
}
