package secret

import (
	"context"
	"iter"
	"maps"
	"slices"

	"github.com/sluice-cd/sluice"
)

// Store returns the store without the secrets that the redactor knows: it keeps no text that holds one. What steps
// record for themselves stays as it is; they seal it.
func (r *Redactor) Store(s sluice.Store) sluice.Store { return redacting{s, r} }

type redacting struct {
	sluice.Store
	redactor *Redactor
}

// Append redacts the events. A plan that would record a secret is Invalid.
func (s redacting) Append(ctx context.Context, id sluice.DeploymentID, after sluice.Seq, events ...sluice.Event) error {
	kept := slices.Clone(events)
	for i, e := range kept {
		if err := s.redactor.checkContext(e.Plan); err != nil {
			return err
		}
		s.redactor.Publish(e.Plan)
		kept[i] = s.redactor.event(e)
	}
	return s.Store.Append(ctx, id, after, kept...)
}

// checkContext refuses a new plan whose context holds a secret, which the plan would record. A plan that returns to an
// earlier release records nothing new.
func (r *Redactor) checkContext(p *sluice.Plan) error {
	if p == nil || slices.ContainsFunc(p.Targets, func(t sluice.PlannedTarget) bool { return t.Release != "" }) {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(p.Context)) {
		if value := p.Context[key]; len(value) >= 2*minPart && r.knows(value) {
			return sluice.Errorf(sluice.Invalid, "the context value %q is a secret, and the plan would record it", key).
				WithHint("remove it from the context, and write {{secrets.NAME}} where the value is needed; " +
					"sluice.yaml says where the secret is read")
		}
	}
	return nil
}

// Read learns the names of the plan.
func (s redacting) Read(ctx context.Context, id sluice.DeploymentID, after sluice.Seq) iter.Seq2[sluice.Event, error] {
	return func(yield func(sluice.Event, error) bool) {
		for e, err := range s.Store.Read(ctx, id, after) {
			s.redactor.Publish(e.Plan)
			if !yield(e, err) {
				return
			}
		}
	}
}

// Send redacts the signal.
func (s redacting) Send(ctx context.Context, id sluice.DeploymentID, sig sluice.Signal) (sluice.LetterID, error) {
	return s.Store.Send(ctx, id, s.redactor.signal(sig))
}

// PutToken redacts the name.
func (s redacting) PutToken(ctx context.Context, t sluice.Token) error {
	t.Name = s.redactor.Text(t.Name)
	return s.Store.PutToken(ctx, t)
}

// Record redacts the reason and the name of who gave it.
func (s redacting) Record(ctx context.Context, e sluice.AuditEntry) error {
	e.Reason, e.By = s.redactor.Text(e.Reason), s.redactor.actor(e.By)
	return s.Store.Record(ctx, e)
}

// Refuse redacts the reason.
func (s redacting) Refuse(ctx context.Context, id sluice.LetterID, reason sluice.Failure) error {
	return s.Store.Refuse(ctx, id, *s.redactor.failure(&reason))
}
