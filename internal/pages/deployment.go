package pages

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/present"
)

// A deploymentRun is a deployment while it is read or followed: its state, what its log says, and what is only shown.
type deploymentRun struct {
	state *engine.State
	facts []fact
	live  map[sluice.StepID]sluice.Progress // that is not recorded
	begun map[sluice.StepID]beginning       // of a piece of work, from which its rate follows
}

// A beginning is how much of a piece of work was done when it was first seen.
type beginning struct {
	at   time.Time
	unit string
	done int64
}

// add takes the next event.
func (d *deploymentRun) add(e sluice.Event) {
	d.state.Apply(e)
	d.facts = append(d.facts, factOf(d.state, e))
	delete(d.live, e.Step)
}

// show takes progress that is not recorded.
func (d *deploymentRun) show(step sluice.StepID, p sluice.Progress, now time.Time) {
	d.live[step] = p
	if b, ok := d.begun[step]; p.Amount != nil && (!ok || b.unit != p.Amount.Unit || p.Amount.Done < b.done) {
		d.begun[step] = beginning{now, p.Amount.Unit, p.Amount.Done}
	}
}

func (v *visit) readDeployment(id sluice.DeploymentID) (*deploymentRun, error) {
	d := &deploymentRun{
		state: &engine.State{ID: id}, live: map[sluice.StepID]sluice.Progress{}, begun: map[sluice.StepID]beginning{},
	}
	for e, err := range v.store.Read(v.ctx, id, 0) {
		if err != nil {
			return nil, err
		}
		d.add(e)
	}
	if d.state.Plan == nil {
		return nil, sluice.Errorf(sluice.NotFound, "there is no deployment %s", id).
			WithHint("see the deployments of all applications: /")
	}
	return d, nil
}

// A deploymentView is what the page of a deployment shows.
type deploymentView struct {
	ID          sluice.DeploymentID
	Application string
	Release     string
	Description string
	By          sluice.Actor
	Sign        Sign
	Word        string // of the state, "" if the sentence says it
	Sentence    string // the state, in words
	Since       When
	Started     When
	Took        Length
	Overtaker   sluice.DeploymentID
	Rehearsal   bool

	Actions []sheet
	Columns []column
	Chosen  *evidenceView
	Facts   []fact
	Hidden  int // facts before those
	Picked  bool
}

var deploymentPage = page{
	name: "deployment", live: true,
	fragments: []string{
		"deployment-head", "deployment-actions", "deployment-graph", "deployment-evidence", "deployment-log",
	},
	load: func(v *visit) (*shown, error) {
		d, err := v.readDeployment(sluice.DeploymentID(v.request.PathValue("id")))
		if err != nil {
			return nil, err
		}
		return v.showDeployment(d)
	},
}

func (p *Pages) deployment(w http.ResponseWriter, r *http.Request) { p.show(w, r, deploymentPage) }

func (v *visit) showDeployment(d *deploymentRun) (*shown, error) {
	s := d.state
	view := deploymentView{
		ID: s.ID, Application: s.Plan.Application, Release: release(s.ID, s.Plan, ""), Description: s.Plan.Description,
		By: s.StartedBy, Sign: signOf(s.Status()), Started: v.when(s.StartedAt), Took: v.took(s.StartedAt, s.EndedAt),
		Overtaker: s.Overtaker, Rehearsal: s.Plan.Rehearsal != nil,
	}
	view.Sentence, view.Since = v.sentence(s)
	if view.Sentence == "" || s.Outcome != "" {
		view.Word = view.Sign.Word
	}
	chosen := v.chosen(s)
	view.Picked = v.request.URL.Query().Get("step") != ""
	view.Columns = v.columns(d, chosen)
	view.Actions = v.actions(s)
	if chosen != nil {
		view.Chosen = v.evidence(d, chosen)
	}
	view.Hidden = max(0, len(d.facts)-mostFacts)
	view.Facts = slices.Clone(d.facts[view.Hidden:])
	for i := range view.Facts {
		view.Facts[i].At.now = v.at
	}
	return &shown{
		Title: s.Plan.Application + " " + view.Release, Data: view, Kind: "Deployment",
		Document: present.DeploymentOf(s, true), Version: int64(s.Seq), Over: s.Outcome != "",
	}, nil
}

// sentence says in words how the deployment stands, and since when.
func (v *visit) sentence(s *engine.State) (string, When) {
	if s.Outcome != "" {
		return endings[s.Outcome], v.when(s.EndedAt)
	}
	if s.Queued {
		return "waits until the application's running deployment has ended", v.when(s.StartedAt)
	}
	var parts []string
	since := s.StartedAt
	for _, t := range ordered(s.Plan) {
		if text, at := standing(s, t.Name); text != "" {
			parts, since = append(parts, text+" in "+t.Name), latest(since, at)
		}
	}
	return short(strings.Join(parts, "; ")), v.when(since)
}

// endings say more than the word of the outcome, where there is more to say.
var endings = map[sluice.Status]string{
	sluice.StatusSucceeded:  "runs in every target",
	sluice.StatusRolledBack: "failed and was undone",
	sluice.StatusOvertaken:  "was overtaken before it started",
}

// standing says how a deployment stands in a target that it works on, "" for the others.
func standing(s *engine.State, target string) (string, time.Time) {
	if paused := s.Paused(target); paused != nil {
		return "paused by " + paused.By.Name, time.Time{}
	}
	for _, id := range slices.Backward(s.Started) {
		run := s.Steps[id]
		if run.Plan.Target != target {
			continue
		}
		switch what := waitsFor(run); {
		case run.Retrying != nil, run.Phase == engine.PhaseUndoing && what != "":
			return what, run.StartedAt
		case what != "":
			return "waits for " + what, run.StartedAt
		case run.Phase == engine.PhaseUndoing:
			return "being undone", run.EndedAt
		}
	}
	if s.Target(target) == sluice.StatusRunning {
		return "works", time.Time{}
	}
	return "", time.Time{}
}

// chosen returns the step whose evidence is shown: the one that the address names, otherwise one that waits for a
// person, waits, has failed or runs, otherwise the last one that has evidence.
func (v *visit) chosen(s *engine.State) *engine.StepRun {
	if run := s.Steps[sluice.StepID(v.request.URL.Query().Get("step"))]; run != nil {
		return run
	}
	var best *engine.StepRun
	rank := 0
	for _, id := range s.Started {
		run := s.Steps[id]
		if r := interest(run); r >= rank {
			best, rank = run, r
		}
	}
	if best == nil && len(s.Plan.Steps) > 0 {
		best = s.Steps[s.Plan.Steps[0].ID]
	}
	return best
}

// interest says how much a person wants to see the step now.
func interest(run *engine.StepRun) int {
	result := evidence(run)
	switch {
	case decidable(run) != "":
		return 5
	case run.Failure != nil || run.Leftover != nil:
		return 4
	case run.Phase == engine.PhaseWaiting:
		return 3
	case run.Phase == engine.PhaseRunning || run.Phase == engine.PhaseStarting || run.Phase == engine.PhaseUndoing:
		return 2
	case result != nil && (result.Judgment != nil || result.Verification != nil):
		return 1
	}
	return 0
}

// A deploymentFollower follows one deployment by its log and its progress.
type deploymentFollower struct {
	v       *visit
	run     *deploymentRun
	updates chan engine.Update
	err     error // why updates was closed
}

// followDeployment begins to follow; v.ctx ends it.
func (v *visit) followDeployment() (follower, error) {
	id := sluice.DeploymentID(v.request.PathValue("id"))
	run, err := v.readDeployment(id)
	if err != nil {
		return nil, err
	}
	f := &deploymentFollower{v: v, run: run, updates: make(chan engine.Update)}
	go f.watch(v.ctx, id, run.state.Seq)
	return f, nil
}

func (f *deploymentFollower) watch(ctx context.Context, id sluice.DeploymentID, after sluice.Seq) {
	defer close(f.updates)
	for u, err := range f.v.Server.Watch(ctx, f.v.caller, id, after) {
		if err != nil {
			f.err = err
			return
		}
		select {
		case f.updates <- u:
		case <-ctx.Done():
			return
		}
	}
}

// load takes what has come, and returns what the page shows.
func (f *deploymentFollower) load() (*shown, error) {
	for {
		select {
		case u, ok := <-f.updates:
			if !ok {
				return f.v.showDeployment(f.run)
			}
			f.take(u)
		default:
			return f.v.showDeployment(f.run)
		}
	}
}

func (f *deploymentFollower) take(u engine.Update) {
	switch {
	case u.Event != nil && u.Event.Seq > f.run.state.Seq:
		f.run.add(*u.Event)
	case u.Progress != nil:
		f.run.show(u.Step, *u.Progress, f.v.Now())
	}
}

// wait returns with the next update.
func (f *deploymentFollower) wait(ctx context.Context, _ int64) error {
	select {
	case u, ok := <-f.updates:
		if !ok {
			return cmpError(f.err)
		}
		f.take(u)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func cmpError(err error) error {
	if err != nil {
		return err
	}
	return errOver
}

// mayAnywhere reports whether the caller may do the verb with any target of the plan.
func (v *visit) mayAnywhere(verb access.Verb, p *sluice.Plan) bool {
	return slices.ContainsFunc(p.Targets, func(t sluice.PlannedTarget) bool {
		return v.caller.May(verb, p.Application, t.Name)
	})
}
