package secret

import (
	"slices"

	"github.com/sluice-cd/sluice"
)

// event returns the event with every text for people redacted. Names, ids, the plan and what the step records for
// itself stay: the engine and the steps act on them.
func (r *Redactor) event(e sluice.Event) sluice.Event {
	e.Progress, e.Failure = r.progress(e.Progress), r.failure(e.Failure)
	if e.Actor != nil {
		actor := r.actor(*e.Actor)
		e.Actor = &actor
	}
	if e.Signal != nil {
		sig := r.signal(*e.Signal)
		e.Signal = &sig
	}
	return e
}

func (r *Redactor) signal(sig sluice.Signal) sluice.Signal {
	sig.Reason, sig.By = r.Text(sig.Reason), r.actor(sig.By)
	return sig
}

func (r *Redactor) actor(a sluice.Actor) sluice.Actor {
	a.Name = r.Text(a.Name)
	return a
}

func (r *Redactor) failure(f *sluice.Failure) *sluice.Failure {
	if f == nil {
		return nil
	}
	kept := *f
	kept.Message, kept.Hint, kept.Result = r.Text(f.Message), r.Text(f.Hint), r.result(f.Result)
	return &kept
}

func (r *Redactor) progress(p *sluice.Progress) *sluice.Progress {
	if p == nil {
		return nil
	}
	kept := *p
	kept.Message, kept.Result = r.Text(p.Message), r.result(p.Result)
	if p.Wait != nil {
		wait := *p.Wait
		wait.Callback = r.Text(wait.Callback)
		kept.Wait = &wait
	}
	kept.Changes = slices.Clone(p.Changes)
	for i := range kept.Changes {
		kept.Changes[i].Diff = r.Text(kept.Changes[i].Diff)
	}
	return &kept
}

func (r *Redactor) result(result *sluice.Result) *sluice.Result {
	if result == nil {
		return nil
	}
	kept := *result
	if kept.Judgment != nil {
		j := *kept.Judgment
		j.Reason, j.Samples = r.Text(j.Reason), slices.Clone(j.Samples)
		for i := range j.Samples {
			j.Samples[i].Reason = r.Text(j.Samples[i].Reason)
		}
		kept.Judgment = &j
	}
	if kept.Verification != nil {
		v := r.verification(*kept.Verification)
		kept.Verification = &v
	}
	return &kept
}

func (r *Redactor) verification(v sluice.Verification) sluice.Verification {
	v.Reason, v.Invariants = r.Text(v.Reason), slices.Clone(v.Invariants)
	for i := range v.Invariants {
		v.Invariants[i].Reason = r.Text(v.Invariants[i].Reason)
	}
	v.Comparison.Collections = slices.Clone(v.Comparison.Collections)
	for i, c := range v.Comparison.Collections {
		c.MissingKeys, c.AddedKeys, c.ChangedKeys = r.texts(c.MissingKeys), r.texts(c.AddedKeys), slices.Clone(c.ChangedKeys)
		for k := range c.ChangedKeys {
			c.ChangedKeys[k].Key = r.Text(c.ChangedKeys[k].Key)
		}
		v.Comparison.Collections[i] = c
	}
	return v
}

func (r *Redactor) texts(list []string) []string {
	kept := slices.Clone(list)
	for i := range kept {
		kept[i] = r.Text(kept[i])
	}
	return kept
}
