// Package history answers what each target of an application runs now and what it ran before. The answer is a fold over
// the application's deployments and over nothing else.
package history

import (
	"context"
	"maps"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// A History holds the releases of an application's targets. Deployments are added to it from the newest to the oldest.
//
// A deployment adds a release to a target if it applied objects there and did not take them back. A deployment that
// only changed data, was undone or never reached the target adds none, and neither does another deployment of the same
// objects. A rollback returns a target to an earlier release: the releases between the two are no longer in its past.
type History struct {
	targets map[string]*past

	latest        sluice.DeploymentID
	latestTargets []string
}

// A Past is what one target of an application runs and ran before, newest first.
type Past struct {
	Application string
	Target      string
	Releases    []sluice.Release
}

// past is one target's part of a history.
type past struct {
	releases  []sluice.Release // newest first
	brought   []sluice.Release // all that were ever deployed, returned to or not; newest first
	returning sluice.DeploymentID
	by        sluice.DeploymentID
	repeated  bool // the oldest of releases was deployed again without a change
}

// Targets returns the names of the targets that have releases, sorted.
func (h *History) Targets() []string { return slices.Sorted(maps.Keys(h.targets)) }

// Target returns the target's releases: what it runs now, what it ran before that, and so on.
func (h *History) Target(name string) []sluice.Release {
	if p := h.targets[name]; p != nil {
		return p.releases
	}
	return nil
}

// Current returns the release that the target runs, false if there is none.
func (h *History) Current(name string) (sluice.Release, bool) {
	if list := h.Target(name); len(list) > 0 {
		return list[0], true
	}
	return sluice.Release{}, false
}

// Before returns the release that the target ran before its current one, false if there is none. A target that has
// moved to another account or namespace since has none: going back would leave it in both.
func (h *History) Before(name string) (sluice.Release, bool) {
	list := h.Target(name)
	if len(list) < 2 || place(list[0]) != place(list[1]) {
		return sluice.Release{}, false
	}
	return list[1], true
}

// Repeated reports whether the release is the target's oldest one and was deployed more than once.
func (h *History) Repeated(r sluice.Release) bool {
	p := h.targets[r.Target]
	return p != nil && p.repeated && p.releases[len(p.releases)-1].Deployment == r.Deployment
}

func place(r sluice.Release) [2]string {
	t, _ := r.Plan.Target(r.Target)
	return [2]string{t.Account, t.Namespace}
}

// Latest returns the newest deployment that brought a release to any target, and those targets. If it is a rollback
// that failed in other targets, it returns the others: the next rollback is for them and takes no target back twice.
func (h *History) Latest() (id sluice.DeploymentID, targets []string) {
	return h.latest, h.latestTargets
}

// Add adds the next older deployment.
func (h *History) Add(s *engine.State) {
	for _, t := range s.Plan.Targets {
		r, ok := release(s, t.Name)
		if !ok {
			continue
		}
		h.past(t.Name).add(r, t.Release)
		if h.latest == "" || h.latest == s.ID {
			h.latest, h.latestTargets = s.ID, append(h.latestTargets, t.Name)
		}
	}
	if h.latest != s.ID {
		return
	}
	var missed []string
	for _, t := range s.Plan.Targets {
		if t.Release != "" && !slices.Contains(h.latestTargets, t.Name) {
			missed = append(missed, t.Name)
		}
	}
	if len(missed) > 0 {
		h.latestTargets = missed
	}
}

func (h *History) past(target string) *past {
	if h.targets == nil {
		h.targets = map[string]*past{}
	}
	if h.targets[target] == nil {
		h.targets[target] = &past{}
	}
	return h.targets[target]
}

// add adds the next older release. returned names the release that its deployment returned the target to.
func (p *past) add(r sluice.Release, returned sluice.DeploymentID) {
	p.brought = append(p.brought, r)
	switch {
	case p.returning != "" && r.Deployment != p.returning:
		return
	case p.returning == "" && returned != "":
		p.returning, p.by = returned, r.Deployment
		return
	case p.returning != "":
		r.By, p.returning = p.by, ""
	}
	if n := len(p.releases); n > 0 && sameContent(p.releases[n-1], r) {
		again := &p.releases[n-1]
		again.Checkpoints, p.repeated = append(again.Checkpoints, r.Checkpoints...), true
		return
	}
	p.releases, p.repeated = append(p.releases, r), false
}

// release returns what the deployment left in the target.
func release(s *engine.State, target string) (sluice.Release, bool) {
	status := s.Target(target)
	if status != sluice.StatusSucceeded && status != sluice.StatusFailed {
		return sluice.Release{}, false
	}
	r := sluice.Release{
		Deployment: s.ID, By: s.ID, Target: target, Digest: s.Plan.Digest, Outcome: status, At: s.StartedAt, Plan: s.Plan,
	}
	applied := false
	for _, p := range s.Plan.Steps {
		run := s.Steps[p.ID]
		if p.Target != target || run.StartedAt.IsZero() {
			continue
		}
		if p.CheckpointData != nil && run.Progress.Result != nil && run.Progress.Result.Checkpoint != "" {
			r.Checkpoints = append(r.Checkpoints, run.Progress.Result.Checkpoint)
		}
		if p.Apply == nil || run.Phase == engine.PhaseUndone {
			continue
		}
		applied = true
		for _, o := range p.Apply.Objects {
			r.Objects = append(r.Objects, o.Ref())
		}
		r.Created = created(r.Objects, run.Progress.Changes)
	}
	return r, applied
}

// created lists the objects that did not exist before. A change names no namespace, so of objects with the same kind
// and name all must be new.
func created(objects []sluice.Ref, changes []sluice.Change) []string {
	old := map[string]int{}
	for _, o := range objects {
		old[o.String()]++
	}
	for _, c := range changes {
		if c.Outcome == sluice.Created {
			old[c.Object]--
		}
	}
	var list []string
	for _, o := range objects {
		if old[o.String()] == 0 {
			list = append(list, o.String())
		}
	}
	return list
}

// Read folds the application's deployments, newest first, until enough says that no older one is needed, or to the end.
// Rehearsals and real deployments have separate histories.
func Read(
	ctx context.Context, log sluice.Log, application string, rehearsed bool, enough func(*History) bool,
) (*History, error) {
	list, err := log.Deployments(ctx, application)
	if err != nil {
		return nil, err
	}
	h := &History{}
	for _, d := range list {
		s, err := engine.Fold(d.ID, log.Read(ctx, d.ID, 0))
		if err != nil {
			return nil, err
		}
		if (s.Plan.Rehearsal != nil) != rehearsed {
			continue
		}
		if h.Add(s); enough(h) {
			break
		}
	}
	return h, nil
}

// Since returns the releases that came to the target after the deployment, newest first, returned to or not.
func (h *History) Since(target string, id sluice.DeploymentID) []sluice.Release {
	p := h.targets[target]
	if p == nil {
		return nil
	}
	end := slices.IndexFunc(p.brought, func(r sluice.Release) bool { return r.Deployment == id })
	if end < 0 {
		return p.brought
	}
	return p.brought[:end]
}
