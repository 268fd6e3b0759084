package plan

import (
	"maps"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
)

// A Return says how one target goes back to a release that it ran before.
type Return struct {
	Release sluice.Release
	Gone    []sluice.Ref        // what later releases created and this one does not have; deleted at the end
	Restore *sluice.RestoreData // what is put back before the old version starts; nil: data is left as it is
}

// BackOptions say how targets go back.
type BackOptions struct {
	Gates  bool   // go through the weights and gates of the releases again
	Reason string // why; it becomes part of the description
	// TakeOver lists the field managers whose fields the plan may take.
	TakeOver []string
}

// Back returns the plan that returns targets to earlier releases. The old version starts beside the current one and
// gets all traffic as soon as it is ready. With gates it goes through the weights and gates of its strategy again, and
// through the gates before and after the deployment. It never repeats data steps.
func Back(returns []Return, o BackOptions) *sluice.Plan {
	first := returns[0].Release.Plan
	p := &sluice.Plan{Application: first.Application, Description: "roll back", Rehearsal: rehearsal(returns),
		TakeOver: o.TakeOver}
	if o.Reason != "" {
		p.Description += ": " + o.Reason
	}
	for _, r := range returns {
		b := back{Return: r, gates: o.Gates}
		p.Steps = append(p.Steps, b.steps()...)
		p.Targets = append(p.Targets, b.target(returns))
	}
	p.Digest = Digest(p)
	return p
}

type back struct {
	Return
	gates bool
}

func (b back) target(all []Return) sluice.PlannedTarget {
	was, _ := b.Release.Plan.Target(b.Release.Target)
	t := sluice.PlannedTarget{
		Name: was.Name, Account: was.Account, Namespace: was.Namespace, Traffic: was.Traffic,
		AfterFailure: was.AfterFailure, MaxUnready: was.MaxUnready, Release: b.Release.Deployment, RollbackClass: "A",
	}
	if b.Restore != nil {
		t.RollbackClass = "C"
	}
	t.Irreversible = irreversible(b.steps())
	if !b.gates {
		return t
	}
	for _, name := range was.DependsOn {
		if slices.ContainsFunc(all, func(r Return) bool { return r.Release.Target == name }) {
			t.DependsOn = append(t.DependsOn, name)
		}
	}
	return t
}

// steps are the release's own, as far as they are repeated, after the restoring of data and before the deletion of what
// is gone.
func (b back) steps() []sluice.PlannedStep {
	var steps []sluice.PlannedStep
	var first, last []sluice.StepID
	if b.Restore != nil {
		restore := b.step(sluice.PhaseBefore, "before/restore", nil)
		restore.StepSpec = sluice.StepSpec{Kind: sluice.KindRestoreData, RestoreData: b.Restore}
		steps, first = append(steps, restore), []sluice.StepID{restore.ID}
	}
	skipped := map[sluice.StepID][]sluice.StepID{} // to the steps that replace it
	for _, s := range b.Release.Plan.Steps {
		if s.Target != b.Release.Target {
			continue
		}
		s.After = standIns(s.After, skipped)
		if !b.repeats(s) {
			skipped[s.ID] = s.After
			continue
		}
		if len(s.After) == 0 {
			s.After = first
		}
		if s.Apply != nil || s.Promote != nil {
			last = []sluice.StepID{s.ID}
		}
		steps = append(steps, b.repeated(s))
	}
	if len(b.Gone) > 0 {
		prune := b.step(sluice.PhasePrune, string(sluice.PhasePrune), last)
		prune.StepSpec = sluice.StepSpec{Kind: sluice.KindPrune, Prune: &sluice.Prune{Objects: b.Gone}}
		steps = append(steps, prune)
	}
	return steps
}

func (b back) step(phase sluice.Phase, path string, after []sluice.StepID) sluice.PlannedStep {
	target := b.Release.Target
	return sluice.PlannedStep{ID: sluice.StepID(target + "/" + path), Target: target, Phase: phase, After: after}
}

// repeats reports whether a step of the release is part of the way back.
func (b back) repeats(s sluice.PlannedStep) bool {
	switch {
	case s.Phase == sluice.PhaseOnRollback:
		return false
	case s.Apply != nil || s.Promote != nil:
		return true
	}
	gates := []sluice.StepKind{
		sluice.KindSetWeight, sluice.KindPause, sluice.KindRunWebhook, sluice.KindAnalysis, sluice.KindExposeServices,
		sluice.KindRunJob, sluice.KindWaitFor,
	}
	return b.gates && slices.Contains(gates, s.Kind)
}

// repeated is the step as it is done now. It keeps the context of its deployment.
func (b back) repeated(s sluice.PlannedStep) sluice.PlannedStep {
	switch {
	case s.Apply != nil && !b.gates:
		apply := *s.Apply
		apply.Canary = slices.ContainsFunc(b.Release.Plan.Steps, func(other sluice.PlannedStep) bool {
			return other.Target == s.Target && other.Promote != nil
		})
		s.Apply = &apply
	case s.RunWebhook != nil:
		webhook := *s.RunWebhook
		webhook.Context = merged(b.Release.Plan.Context, webhook.Context)
		s.RunWebhook = &webhook
	case s.Analysis != nil:
		analysis := *s.Analysis
		analysis.Context = merged(b.Release.Plan.Context, analysis.Context)
		s.Analysis = &analysis
	}
	return s
}

func merged(file, step map[string]string) map[string]string {
	all := maps.Clone(file)
	if all == nil {
		return step
	}
	maps.Copy(all, step)
	return all
}

// standIns replaces skipped steps by their predecessors.
func standIns(after []sluice.StepID, skipped map[sluice.StepID][]sluice.StepID) []sluice.StepID {
	var list []sluice.StepID
	for _, id := range after {
		ids, ok := skipped[id]
		if !ok {
			ids = []sluice.StepID{id}
		}
		for _, each := range ids {
			if !slices.Contains(list, each) {
				list = append(list, each)
			}
		}
	}
	return list
}

// rehearsal combines the rehearsals of the releases, nil if they were deployed for real.
func rehearsal(returns []Return) *sluice.Rehearsal {
	first := returns[0].Release.Plan.Rehearsal
	if first == nil {
		return nil
	}
	all := *first
	all.Images, all.Services = map[string][]string{}, map[string][]sluice.Ref{}
	for _, r := range returns {
		for account, images := range r.Release.Plan.Rehearsal.Images {
			all.Images[account] = append(all.Images[account], images...)
		}
		for account, services := range r.Release.Plan.Rehearsal.Services {
			all.Services[account] = append(all.Services[account], services...)
		}
	}
	return &all
}

// Restore returns a plan of one step, which puts a checkpoint back into a target.
func Restore(c sluice.Checkpoint, target sluice.PlannedTarget, data sluice.RestoreData) *sluice.Plan {
	p := &sluice.Plan{
		Application: c.Application, Description: "put checkpoint " + string(c.ID) + " back into " + target.Name,
		Targets: []sluice.PlannedTarget{{
			Name: target.Name, Account: target.Account, Namespace: target.Namespace,
			AfterFailure: "keep", RollbackClass: "C",
		}},
		Steps: []sluice.PlannedStep{{
			ID: sluice.StepID(target.Name + "/before/0"), Target: target.Name, Phase: sluice.PhaseBefore,
			StepSpec: sluice.StepSpec{Kind: sluice.KindRestoreData, RestoreData: &data},
		}},
	}
	p.Digest = Digest(p)
	return p
}

// TargetNames lists the plan's targets for a message.
func TargetNames(p *sluice.Plan) string {
	list := make([]string, len(p.Targets))
	for i, t := range p.Targets {
		list[i] = t.Name
	}
	return strings.Join(list, ", ")
}

// DatasetOf returns the dataset's declaration from the steps of a plan, false if none uses it.
func DatasetOf(p *sluice.Plan, name string) (sluice.Dataset, bool) {
	for _, s := range p.Steps {
		if d, ok := s.Dataset(); ok && d.Name == name {
			return d, true
		}
	}
	return sluice.Dataset{}, false
}
