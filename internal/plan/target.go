package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

type ids = []sluice.StepID

// A graph is a target's steps while they are being laid out. Its methods take the steps that new steps wait for, and
// return the steps that later ones must wait for.
type graph struct {
	compiler *compiler
	target   sluice.Target
	traffic  []sluice.Traffic
	steps    []sluice.PlannedStep
}

// target lays out one target: before, apply, the strategy, promote, after, and separately onRollback.
func (c *compiler) target(t sluice.Target) (sluice.PlannedTarget, []sluice.PlannedStep) {
	g := &graph{compiler: c, target: t, traffic: c.traffic(t)}
	p := c.contained(t, c.objects(t))
	last := g.parallel(sluice.PhaseBefore, t.BeforeDeployment, nil)
	if len(p.objects) > 0 {
		last = g.prune(p.objects, g.rollOut(p, last))
	}
	g.parallel(sluice.PhaseAfter, t.AfterDeployment, last)
	g.sequence(sluice.PhaseOnRollback, string(sluice.PhaseOnRollback), t.OnRollback, nil)
	return sluice.PlannedTarget{
		Pos: t.Pos, Name: t.Name, Account: t.Account, Namespace: cmp.Or(t.Namespace, defaultNamespace),
		DependsOn: c.dependencies(t), AfterFailure: cmp.Or(t.AfterFailure, "keep"), MaxUnready: t.MaxUnready,
		Irreversible: irreversible(g.steps), RollbackClass: rollbackClass(g.steps), Traffic: g.traffic,
	}, g.steps
}

func (c *compiler) dependencies(t sluice.Target) []string {
	return slices.DeleteFunc(slices.Clone(t.DependsOn), func(name string) bool { return !c.included(name) })
}

// rollOut lays out apply and, if a workload can change version, the strategy and promote.
func (g *graph) rollOut(p prepared, after ids) ids {
	strategy, named := g.compiler.spec.Strategies[g.target.Strategy]
	progressive := slices.ContainsFunc(p.objects, isProgressive)
	if !named && slices.ContainsFunc(p.objects, func(o sluice.Object) bool { return o.Text("kind") == "Deployment" }) {
		g.compiler.fail(g.target.Pos, codeStrategyRequired,
			"target "+quote(g.target.Name)+" has a Deployment but no strategy", "add strategy: with a name from strategies:")
		return nil
	}
	timeout := g.compiler.spec.Config.Timeout
	apply := &sluice.Apply{
		Objects: p.objects, Canary: progressive && named && isGradual(strategy), Timeout: timeout, Places: p.places,
	}
	last := g.add(sluice.PhaseApply, "apply", sluice.StepSpec{Kind: sluice.KindApply, Apply: apply}, after)
	if !progressive || !named {
		return last
	}
	last = g.strategy(strategy, last)
	promote := sluice.StepSpec{Kind: sluice.KindPromote, Promote: &sluice.Promote{Timeout: timeout}}
	return g.add(sluice.PhasePromote, "promote", promote, last)
}

// prune lays out the deletion of objects that earlier deployments applied and this one does not, neither for this
// target nor for another target of the same account, to which an object may have moved.
func (g *graph) prune(objects []sluice.Object, after ids) ids {
	if !g.target.Prune || g.compiler.options.Applied == nil {
		return after
	}
	kept := slices.Clone(objects)
	for _, t := range g.compiler.spec.Targets {
		if t.Account == g.target.Account && t.Name != g.target.Name {
			kept = append(kept, g.compiler.objects(t).objects...)
		}
	}
	gone := slices.DeleteFunc(slices.Clone(g.compiler.options.Applied(g.target.Name)), func(r sluice.Ref) bool {
		return slices.ContainsFunc(kept, func(o sluice.Object) bool { return r.Same(o.Ref()) })
	})
	if len(gone) == 0 {
		return after
	}
	prune := sluice.StepSpec{Kind: sluice.KindPrune, Prune: &sluice.Prune{Objects: gone}}
	return g.add(sluice.PhasePrune, string(sluice.PhasePrune), prune, after)
}

// strategy lays out the steps between apply and promote. Blue/green is a canary at full size: first it gets only the
// traffic of its preview Services, then all traffic.
func (g *graph) strategy(s sluice.Strategy, after ids) ids {
	if s.Canary != nil {
		return g.sequence(sluice.PhaseCanary, "canary", s.Canary.Steps, after)
	}
	if names := previews(g.traffic); len(names) > 0 {
		preview := sluice.StepSpec{Kind: sluice.KindSetWeight, SetWeight: &sluice.SetWeight{Weight: 100, Services: names}}
		after = g.add(sluice.PhaseBlueGreen, "bluegreen/preview", preview, after)
	}
	after = g.parallelAt(sluice.PhaseBlueGreen, "bluegreen/redirect", s.BlueGreen.RedirectTrafficAfter, after)
	all := sluice.StepSpec{Kind: sluice.KindSetWeight, SetWeight: &sluice.SetWeight{Weight: 100}}
	after = g.add(sluice.PhaseBlueGreen, "bluegreen/switch", all, after)
	return g.parallelAt(sluice.PhaseBlueGreen, "bluegreen/shutdown", s.BlueGreen.ShutDownOldVersionAfter, after)
}

// isGradual reports whether the new version must run beside the old one. A strategy with a single step to 100 % is a
// rolling update.
func isGradual(s sluice.Strategy) bool {
	if s.BlueGreen != nil {
		return true
	}
	return slices.ContainsFunc(s.Canary.Steps, func(step sluice.StepSpec) bool {
		return step.SetWeight == nil && step.ExposeServices == nil || step.SetWeight != nil && step.SetWeight.Weight < 100
	})
}

func isProgressive(o sluice.Object) bool {
	return slices.Contains([]string{"Deployment", "StatefulSet", "DaemonSet"}, o.Text("kind"))
}

func (g *graph) parallel(phase sluice.Phase, steps []sluice.StepSpec, after ids) ids {
	return g.parallelAt(phase, string(phase), steps, after)
}

// parallelAt lays out steps that start together.
func (g *graph) parallelAt(phase sluice.Phase, path string, steps []sluice.StepSpec, after ids) ids {
	if len(steps) == 0 {
		return after
	}
	var last ids
	for i, s := range steps {
		last = append(last, g.add(phase, fmt.Sprintf("%s/%d", path, i), s, after)...)
	}
	return last
}

// sequence lays out steps one after the other.
func (g *graph) sequence(phase sluice.Phase, path string, steps []sluice.StepSpec, after ids) ids {
	for i, s := range steps {
		if i > 0 && isMaskOf(s, steps[i-1]) {
			continue // it is part of that step
		}
		if i+1 < len(steps) && isMaskOf(steps[i+1], s) {
			s.MigrateData = changed(s.MigrateData, func(m *sluice.MigrateData) { m.Mask = steps[i+1].MaskData.Fields })
		}
		after = g.add(phase, fmt.Sprintf("%s/%d", path, i), s, after)
	}
	return after
}

// isMaskOf reports whether the step masks the data that the step before it copies.
func isMaskOf(s, before sluice.StepSpec) bool {
	return s.MaskData != nil && before.MigrateData != nil && s.MaskData.Dataset == before.MigrateData.Dataset
}

func (g *graph) add(phase sluice.Phase, path string, s sluice.StepSpec, after ids) ids {
	if s.Kind == sluice.KindSequence {
		return g.sequence(phase, path, s.Sequence, after)
	}
	if s.Kind == sluice.KindMaskData {
		g.compiler.fail(s.Pos, codeNothingToMask,
			"maskData of "+quote(s.MaskData.Dataset)+" must come right after its migrateData", "write both in one sequence")
		return after
	}
	id := sluice.StepID(g.target.Name + "/" + path)
	s = g.resolve(s)
	g.checkStage(s)
	g.steps = append(g.steps, sluice.PlannedStep{ID: id, Target: g.target.Name, Phase: phase, After: after, StepSpec: s})
	return ids{id}
}

// resolve copies the parts of the file that a step names into the step, so that a plan is complete without the file.
func (g *graph) resolve(s sluice.StepSpec) sluice.StepSpec {
	switch {
	case s.RunWebhook != nil:
		hook := g.compiler.spec.Webhooks[s.RunWebhook.Name]
		s.RunWebhook = changed(s.RunWebhook, func(w *sluice.RunWebhook) { w.Webhook = &hook })
	case s.Analysis != nil:
		s.Analysis = changed(s.Analysis, g.resolveAnalysis)
	case s.RunJob != nil:
		s.RunJob = changed(s.RunJob, func(j *sluice.RunJob) { j.Job = g.job(s.Pos, *j) })
	case s.MigrateData != nil:
		s.MigrateData = changed(s.MigrateData, func(m *sluice.MigrateData) {
			m.Spec, m.Source = g.migrated(s.Pos, m.Dataset, m.From), g.source(m.From)
		})
	case s.CheckpointData != nil:
		s.CheckpointData = changed(s.CheckpointData, func(d *sluice.CheckpointData) { d.Spec = g.dataset(s.Pos, d.Dataset) })
	case s.VerifyData != nil:
		s.VerifyData = changed(s.VerifyData, func(v *sluice.VerifyData) { g.resolveVerify(s.Pos, v) })
	case s.RestoreData != nil:
		s.RestoreData = changed(s.RestoreData, func(r *sluice.RestoreData) {
			r.Spec, r.From = g.dataset(s.Pos, r.Dataset), g.maker(sluice.KindCheckpointData, r.Dataset)
		})
	}
	return s
}

// changed returns a changed copy, because the Spec must stay as it was read.
func changed[T any](v *T, change func(*T)) *T {
	c := *v
	change(&c)
	return &c
}

// movers are those that work on every account.
var movers = []string{"", "auto", "kopia"}

// dataset returns the dataset for the step at pos, which uses it in its own target and in the targets.
func (g *graph) dataset(pos sluice.Position, name string, targets ...string) sluice.Dataset {
	d, isLocal := g.compiler.spec.Datasets[name], g.compiler.options.LocalAccounts
	if isLocal == nil || slices.Contains(movers, d.Mover) {
		return d
	}
	accounts := g.accounts(targets)
	i := slices.IndexFunc(accounts, func(account string) bool { return !isLocal(account) })
	elsewhere := slices.IndexFunc(accounts, func(account string) bool { return account != accounts[0] })
	switch {
	case i < 0:
		g.compiler.warn(d.Pos, codeMoverNotHere,
			fmt.Sprintf("the local account copies the dataset %s with kopia instead of %s", quote(name), d.Mover), "")
		d.Mover, d.Portworx = "auto", nil
	case d.Mover == sluice.MoverCSI && elsewhere < 0:
		return d
	case d.Mover == sluice.MoverCSI:
		g.compiler.fail(pos, codeMoverNotHere,
			fmt.Sprintf("the mover csi copies the dataset %s in its storage, but it goes from the account %s to %s",
				quote(name), quote(accounts[elsewhere]), quote(accounts[0])),
			"write mover: auto or mover: kopia, which copies through Sluice's repository")
	case g.compiler.options.Sealer != nil: // otherwise the plan is only looked at
		g.compiler.fail(pos, codeMoverNotHere,
			fmt.Sprintf("the dataset %s is in the account %s, but this version does not support the mover %s",
				quote(name), quote(accounts[i]), d.Mover),
			"write mover: auto, or let a webhook or a runJob step move the data there")
	}
	return d
}

// accounts returns the account of the target and those of the named targets.
func (g *graph) accounts(targets []string) []string {
	list := []string{g.target.Account}
	for _, t := range targets {
		if from := g.source(t); from != nil {
			list = append(list, from.Account)
		}
	}
	return list
}

// source returns a target's name, account and namespace.
func (g *graph) source(name string) *sluice.Target {
	i, ok := g.compiler.targets[name]
	if !ok {
		return nil
	}
	t := g.compiler.spec.Targets[i]
	return &sluice.Target{Name: t.Name, Account: t.Account, Namespace: t.Namespace}
}

func (g *graph) resolveAnalysis(a *sluice.Analysis) {
	a.Resolved = nil
	for _, name := range a.Queries {
		q := g.compiler.spec.Analysis.Queries[name]
		q.Provider = cmp.Or(q.Provider, a.Provider, g.compiler.spec.Analysis.DefaultProvider)
		a.Resolved = append(a.Resolved, q)
	}
}

func (g *graph) resolveVerify(pos sluice.Position, v *sluice.VerifyData) {
	kind := sluice.KindMigrateData
	if v.Baseline == "checkpoint" {
		kind = sluice.KindCheckpointData
	}
	v.Spec, v.From = g.verified(pos, v), g.maker(kind, v.Dataset)
	if v.Mode == "" {
		v.Mode = map[sluice.StepKind]string{sluice.KindMigrateData: "equal", sluice.KindCheckpointData: "loss"}[kind]
	}
}

// maker returns the last step so far of the kind for the dataset, "" if there is none.
func (g *graph) maker(kind sluice.StepKind, dataset string) sluice.StepID {
	for _, s := range slices.Backward(g.steps) {
		if s.Kind != kind {
			continue
		}
		if s.MigrateData != nil && s.MigrateData.Dataset == dataset || s.CheckpointData != nil &&
			s.CheckpointData.Dataset == dataset {
			return s.ID
		}
	}
	return ""
}

// job reads the Job that a runJob step runs.
func (g *graph) job(pos sluice.Position, j sluice.RunJob) sluice.Object {
	c := g.compiler
	documents, found := c.load(sluice.ManifestSource{Pos: pos, Path: j.Path, Inline: j.Inline}, true)
	c.report(found)
	if found.HasErrors() {
		return nil
	}
	objects := manifest.Objects(documents)
	if len(objects) != 1 || objects[0].Text("kind") != "Job" {
		c.fail(pos, codeNotAJob, fmt.Sprintf("runJob %s needs exactly one object of kind Job, found %s", quote(j.Name),
			kinds(objects)), "put the other objects under manifests:")
		return nil
	}
	return c.prepare(g.target, documents)[0].Object
}

func kinds(objects []sluice.Object) string {
	if len(objects) == 0 {
		return "none"
	}
	names := make([]string, len(objects))
	for i, o := range objects {
		names[i] = o.Ref().String()
	}
	return strings.Join(names, ", ")
}

func list(targets []sluice.Target) string {
	names := make([]string, len(targets))
	for i, t := range targets {
		names[i] = t.Name
	}
	return strings.Join(names, ", ")
}

func quote(s string) string { return `"` + s + `"` }
