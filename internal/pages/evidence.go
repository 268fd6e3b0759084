package pages

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/manifest"
	"github.com/sluice-cd/sluice/internal/plan"
	"github.com/sluice-cd/sluice/internal/present"
)

// An evidenceView is what is known of one step, by which a person can judge it.
type evidenceView struct {
	row
	Describes string
	Target    string
	Started   When
	Said      string // by the step
	Pods      string // what pods said
	Failure   *problem
	Leftover  *problem
	Until     When
	Roles     string
	Decided   []sluice.Signal
	Skipped   *sluice.Signal

	Verdict   sluice.Verdict
	Plots     []plot
	Verified  *verified
	Changes   []sluice.Change
	Workloads []workload
	Weight    int // -1: the step sets none
	Data      []said
	Webhook   []said
	Passes    *passage
}

// A passage is what a person lets through who ends a wait.
type passage struct {
	Release string
	Share   string // of the traffic, now
	Gates   []gateView
	Next    []string
	Data    []string // what going back means for the data
}

// A gateView is what a step before the wait has found.
type gateView struct {
	ID     sluice.StepID
	Title  string
	Sign   Sign
	Says   string
	Target string
}

// A said is a name and what is said under it.
type said struct {
	Name  string
	Value string
	At    When // an instant instead of a value
	Link  string
}

// A workload is how the pods of a workload stood when its step was done.
type workload struct {
	Name  string
	Ready int
	Pods  []bool // true: ready
	More  int    // pods that are not drawn
}

// mostPods is how many pods of a workload are drawn.
const mostPods = 60

func (v *visit) evidence(d *deploymentRun, run *engine.StepRun) *evidenceView {
	r := v.rowOf(d, run)
	e := &evidenceView{
		row: r, Describes: plan.Describe(run.Plan), Target: run.Plan.Target, Started: v.when(run.StartedAt), Weight: -1,
		Decided: slices.Clone(run.Progress.Signals), Skipped: run.Skipped, Failure: problemOfFailure(run.Failure),
		Leftover: problemOfFailure(run.Leftover),
	}
	progress := run.Progress
	if live, ok := d.live[run.Plan.ID]; ok {
		progress.Message = live.Message
	}
	e.Said, e.Pods, _ = strings.Cut(progress.Message, "\n")
	e.Said, e.Pods = whole(e.Said), whole(e.Pods)
	if run.Retrying != nil {
		e.Said = "tries again: " + whole(run.Retrying.Message)
	}
	if w := run.Progress.Wait; w != nil && run.Phase == engine.PhaseWaiting {
		e.Until, e.Roles = v.when(w.Until), strings.Join(w.Roles, " or ")
	}
	e.Changes = progress.Changes
	if len(e.Changes) > mostChanges {
		e.Changes = e.Changes[:mostChanges]
	}
	v.addResult(e, d, run)
	if decidable(run) != "" {
		v.addPassage(e, d, run)
	}
	return e
}

// addPassage gathers what a person wants to know before letting a step go on: what was found, what changes, what comes
// next. The latest analysis before it is drawn here too.
func (v *visit) addPassage(e *evidenceView, d *deploymentRun, run *engine.StepRun) {
	s := d.state
	target := run.Plan.Target
	e.Passes = &passage{Release: release(s.ID, s.Plan, target), Next: next(s, run), Data: losses(s, target)}
	if weight, ok := weightOf(s, target); ok {
		e.Passes.Share = fmt.Sprintf("%d %%", weight)
	}
	for _, id := range s.Started {
		earlier := s.Steps[id]
		if id == run.Plan.ID || earlier.EndedAt.IsZero() {
			continue
		}
		if g, ok := gateOf(earlier); ok {
			e.Passes.Gates = append(e.Passes.Gates, g)
		}
		if r := evidence(earlier); earlier.Plan.Analysis != nil && run.Plan.Analysis == nil && r != nil {
			e.Plots = v.plots(s, earlier, r.Judgment)
		}
		if earlier.Plan.Target == target && earlier.Plan.Apply != nil {
			e.Changes = changed(earlier.Progress.Changes)
		}
	}
}

// changed leaves out the objects that stay as they were.
func changed(list []sluice.Change) (rest []sluice.Change) {
	for _, c := range list {
		if c.Outcome != sluice.Unchanged && len(rest) < mostChanges {
			rest = append(rest, c)
		}
	}
	return rest
}

// gateOf returns what a step has found, false if it is not one that finds something out.
func gateOf(run *engine.StepRun) (gateView, bool) {
	p, r := run.Plan, evidence(run)
	g := gateView{
		ID: p.ID, Title: short(plan.Title(p)), Sign: stepSign(run), Says: short(run.Progress.Message), Target: p.Target,
	}
	if r != nil && r.Verification != nil && !r.Verification.Passed {
		g.Sign, g.Says = Sign{"✕", "not passed", "bad"}, short(r.Verification.Reason)
	}
	isGate := p.Analysis != nil || p.VerifyData != nil || p.CheckpointData != nil || p.RunJob != nil ||
		p.RunWebhook != nil || p.WaitFor != nil || p.Pause != nil && p.Pause.UntilApproved
	return g, isGate
}

// mostChanges is how many objects a page lists. The document has all.
const mostChanges = 100

func (v *visit) addResult(e *evidenceView, d *deploymentRun, run *engine.StepRun) {
	result := evidence(run)
	if live, ok := d.live[run.Plan.ID]; ok && live.Result != nil {
		result = live.Result
	}
	if result == nil {
		result = &sluice.Result{}
	}
	p := run.Plan
	switch {
	case p.Analysis != nil:
		if result.Judgment != nil {
			e.Verdict = result.Judgment.Verdict
		}
		e.Plots = v.plots(d.state, run, result.Judgment)
	case p.RunWebhook != nil && p.RunWebhook.Webhook != nil:
		e.Webhook = webhookFacts(p, run)
	case p.SetWeight != nil && len(p.SetWeight.Services) == 0:
		e.Weight = p.SetWeight.Weight
	}
	if result.Verification != nil {
		e.Verified = v.verified(d.state, p, *result.Verification)
	}
	e.Workloads = workloads(d.state.Plan, p.Target, result.Brought)
	e.Data = v.dataFacts(p, run, result)
}

func problemOfFailure(f *sluice.Failure) *problem {
	if f == nil {
		return nil
	}
	return &problem{f.Code, whole(f.Message), whole(f.Hint)}
}

// workloads draws the pods that a step brought. Of a workload whose pods were all ready only the plan knows how many.
func workloads(p *sluice.Plan, target string, brought []sluice.Brought) (list []workload) {
	for _, b := range brought {
		pods := b.Pods
		if pods == 0 {
			pods = planned(p, target, b.Workload)
		}
		w := workload{Name: b.Workload.String(), Ready: pods - b.Unready, More: max(0, pods-mostPods)}
		for i := range min(pods, mostPods) {
			w.Pods = append(w.Pods, i < w.Ready)
		}
		list = append(list, w)
	}
	return list
}

// planned is how many pods the plan gives to the workload of a target, or to the one whose canary it is.
func planned(p *sluice.Plan, target string, ref sluice.Ref) int {
	for _, s := range p.Steps {
		if s.Target != target || s.Apply == nil {
			continue
		}
		for _, o := range s.Apply.Objects {
			if o.Ref().Kind == ref.Kind && (o.Ref().Name == ref.Name || o.Ref().Name+"-canary" == ref.Name) {
				return int(o.Number(1, "spec", "replicas"))
			}
		}
	}
	return 1
}

// A verified is a verification as a page shows it.
type verified struct {
	sluice.Verification
	Report string // its address, "" if the caller may not read it
	Denied string // why
}

// mostKeys is how many keys of each kind a page names; the report has all of them.
const mostKeys = 10

// verified shows a verification. Keys are data: who may not read reports was given none.
func (v *visit) verified(s *engine.State, p sluice.PlannedStep, of sluice.Verification) *verified {
	if err := v.caller.Need(access.ReadReports, s.Plan.Application, p.Target); err != nil {
		return &verified{Verification: of, Denied: err.Error()}
	}
	return &verified{
		Verification: of, Report: fmt.Sprintf("/deployments/%s/report?step=%s", s.ID, p.ID),
	}
}

// Keys names the first keys of a collection that differ.
func (v verified) Keys(c sluice.CollectionComparison) (list []said) {
	add := func(name string, keys []string) {
		if len(keys) == 0 {
			return
		}
		text := strings.Join(keys[:min(len(keys), mostKeys)], ", ")
		if len(keys) > mostKeys {
			text += ", ..."
		}
		list = append(list, said{Name: name, Value: whole(text)})
	}
	add("missing", c.MissingKeys)
	add("added", c.AddedKeys)
	changed := make([]string, len(c.ChangedKeys))
	for i, k := range c.ChangedKeys {
		changed[i] = k.Key
		if len(k.Fields) > 0 {
			changed[i] += " (" + strings.Join(k.Fields, ", ") + ")"
		}
	}
	add("changed", changed)
	add("missing indexes", c.MissingIndexes)
	add("added indexes", c.AddedIndexes)
	add("changed indexes", c.ChangedIndexes)
	return list
}

// report sends the whole verification of a step as a file.
func (p *Pages) report(w http.ResponseWriter, r *http.Request) {
	v, err := p.visit(r)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	id, step := sluice.DeploymentID(r.PathValue("id")), sluice.StepID(r.URL.Query().Get("step"))
	of, err := p.Server.Report(v.ctx, v.caller, id, step)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	name := strings.ReplaceAll(fmt.Sprintf("%s-%s", id, step), "/", "-")
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", name+".json"))
	w.Header().Set("Cache-Control", "no-store")
	_ = present.JSON(w, "Verification", of) // the reader went away
}

// webhookFacts says what a webhook sends where. A template names its secrets and does not hold them.
func webhookFacts(p sluice.PlannedStep, run *engine.StepRun) []said {
	hook := p.RunWebhook.Webhook
	facts := []said{{Name: "calls", Value: strings.TrimSpace(hook.Method + " " + short(hook.URITemplate))}}
	if hook.AgentIdentifier != "" {
		facts = append(facts, said{Name: "from", Value: "account " + hook.AgentIdentifier})
	}
	for _, h := range hook.Headers {
		facts = append(facts, said{Name: "header", Value: short(h.Key)})
	}
	switch w := run.Progress.Wait; {
	case hook.DisableCallback:
		facts = append(facts, said{Name: "callback", Value: "none is awaited"})
	case w != nil && w.Callback != "":
		facts = append(facts, said{Name: "callback", Value: "awaited at " + short(w.Callback)})
	}
	for _, sig := range run.Progress.Signals {
		if sig.Kind == sluice.SignalCallback {
			answer := map[bool]string{true: "success", false: "failure"}[sig.Success]
			facts = append(facts, said{Name: "answer", Value: strings.TrimSpace(answer + " " + short(sig.Reason))})
		}
	}
	return facts
}

// dataFacts says what was copied, and where the copy is.
func (v *visit) dataFacts(p sluice.PlannedStep, run *engine.StepRun, result *sluice.Result) []said {
	set, ok := p.Dataset()
	if !ok {
		return nil
	}
	facts := []said{{Name: "dataset", Value: set.Name + ", " + set.Engine}}
	if p.MigrateData != nil {
		facts = append(facts, said{Name: "source", Value: p.MigrateData.From})
	}
	if id := result.Checkpoint; id != "" {
		facts = append(facts, v.checkpointFacts("checkpoint", id, run)...)
	}
	if id := result.SavedAside; id != "" {
		facts = append(facts, v.checkpointFacts("kept aside", id, run)...)
	}
	return facts
}

func (v *visit) checkpointFacts(name string, id sluice.CheckpointID, run *engine.StepRun) []said {
	head := said{Name: name, Value: string(id), Link: "/checkpoints#" + string(id)}
	c, err := v.store.Checkpoint(v.ctx, id)
	if err != nil {
		return []said{head, {Name: "copy", Value: "is deleted or not for you to see"}}
	}
	size := present.Quantity(c.Copy.Bytes, "bytes")
	if took := run.EndedAt.Sub(run.StartedAt); took >= time.Second {
		size += fmt.Sprintf(", %s/s", present.Quantity(int64(float64(c.Copy.Bytes)/took.Seconds()), "bytes"))
	}
	facts := []said{
		head,
		{Name: "cut", At: v.when(c.TakenAt)},
		{Name: "source stood still", Value: stood(c.Pause)},
		{Name: "size", Value: size},
		{Name: "place", Value: placeOf(c)},
	}
	if len(c.Masked) > 0 {
		facts = append(facts, said{Name: "masked", Value: short(strings.Join(c.Masked, ", "))})
	}
	if c.Expires.IsZero() {
		return append(facts, said{Name: "expires", Value: "never"})
	}
	return append(facts, said{Name: "expires", At: v.when(c.Expires)})
}

// placeOf says where the copy of a checkpoint is.
func placeOf(c sluice.Checkpoint) string {
	if c.Copy.InStorage() {
		return "storage of " + c.Account + "/" + c.Namespace
	}
	return "repository of " + c.Copy.Mover
}

// releaseDiff is how the objects of a target differ between two plans.
type releaseDiff struct {
	Target  string          `json:"target"`
	Changes []sluice.Change `json:"changes"`
}

// compare returns what the second plan changes in the objects of the first, target by target.
func compare(from, to *sluice.Plan) (list []releaseDiff) {
	for _, t := range ordered(to) {
		d := releaseDiff{Target: t.Name}
		was, is := objectsOf(from, t.Name), objectsOf(to, t.Name)
		for _, o := range is {
			before := find(was, o.Ref())
			if diff := manifest.Diff(before, o); diff != "" {
				outcome := sluice.Configured
				if before == nil {
					outcome = sluice.Created
				}
				d.Changes = append(d.Changes, sluice.Change{Object: o.Ref().String(), Outcome: outcome, Diff: diff})
			}
		}
		for _, o := range was {
			if find(is, o.Ref()) == nil {
				d.Changes = append(d.Changes, sluice.Change{Object: o.Ref().String(), Outcome: sluice.Deleted})
			}
		}
		list = append(list, d)
	}
	return list
}

func find(list []sluice.Object, ref sluice.Ref) sluice.Object {
	for _, o := range list {
		if ref.Same(o.Ref()) {
			return o
		}
	}
	return nil
}

func objectsOf(p *sluice.Plan, target string) (list []sluice.Object) {
	for _, s := range p.Steps {
		if s.Target == target && s.Apply != nil {
			list = append(list, s.Apply.Objects...)
		}
	}
	return list
}
