package present

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/dataset"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/plan"
)

// A Deployment is a deployment in JSON output.
type Deployment struct {
	ID          sluice.DeploymentID `json:"id"`
	Application string              `json:"application"`
	Status      sluice.Status       `json:"status"`
	StartedAt   time.Time           `json:"startedAt"`
	StartedBy   string              `json:"startedBy"`
	EndedAt     time.Time           `json:"endedAt,omitzero"`
	Targets     []targetOutput      `json:"targets"`
	OvertakenBy sluice.DeploymentID `json:"overtakenBy,omitempty"`
	RunsIn      []string            `json:"runsIn,omitempty"` // in a list: the targets that run its release
	WaitsFor    []waitingOutput     `json:"waitsFor,omitempty"`
	Steps       []stepOutput        `json:"steps,omitempty"`

	state *engine.State
}

type targetOutput struct {
	Name   string         `json:"name"`
	Status sluice.Status  `json:"status"`
	Paused *sluice.Signal `json:"paused,omitempty"` // who paused it, and why
}

type stepOutput struct {
	ID        sluice.StepID   `json:"id"`
	Name      string          `json:"name,omitempty"`
	Kind      sluice.StepKind `json:"kind"`
	Phase     engine.RunPhase `json:"phase"`
	StartedAt time.Time       `json:"startedAt,omitzero"`
	EndedAt   time.Time       `json:"endedAt,omitzero"`
	Message   string          `json:"message,omitempty"`
	Wait      *sluice.Wait    `json:"wait,omitempty"`
	Amount    *sluice.Amount  `json:"amount,omitempty"`
	Changes   []sluice.Change `json:"changes,omitempty"`
	Result    *resultOutput   `json:"result,omitempty"`
	Failure   *failureOutput  `json:"failure,omitempty"`
	Leftover  *failureOutput  `json:"leftover,omitempty"`
	Retrying  *failureOutput  `json:"retrying,omitempty"`
	Skipped   *sluice.Signal  `json:"skipped,omitempty"`
	WaitsFor  string          `json:"waitsFor,omitempty"` // what its undo waits for
}

// A waitingOutput is a step that waits, and what it waits for.
type waitingOutput struct {
	Step    sluice.StepID `json:"step"`
	Name    string        `json:"name,omitempty"`
	Message string        `json:"message"`
	Until   time.Time     `json:"until,omitzero"`
	Signals []string      `json:"signals,omitempty"`
	Roles   []string      `json:"roles,omitempty"`
}

// Deployments returns the rows of a table of deployments, its header first.
func Deployments(list []Deployment) [][]string {
	rows := [][]string{{"DEPLOYMENT", "APPLICATION", "STATUS", "STARTED", "TOOK", "RUNS IN", "WAITS FOR"}}
	for _, d := range list {
		took := cmp.Or(d.state.EndedAt, time.Now()).Sub(d.state.StartedAt)
		rows = append(rows, []string{
			string(d.ID), d.Application, string(d.Status), Moment(d.StartedAt), Took(took),
			strings.Join(d.RunsIn, ", "), waitsFor(list, d),
		})
	}
	return rows
}

// waitsFor names the steps that wait, and what those wait for that cannot go on; or the deployment that a queued one
// waits for.
func waitsFor(list []Deployment, d Deployment) string {
	i := slices.IndexFunc(list, func(other Deployment) bool {
		return other.Application == d.Application && other.ID != d.ID && other.EndedAt.IsZero()
	})
	if d.Status == sluice.StatusQueued && i >= 0 {
		return "deployment " + string(list[i].ID)
	}
	return waitingSteps(d.state)
}

func waitingSteps(s *engine.State) string {
	var steps []string
	for _, w := range waitsOf(s) {
		text := string(w.Step)
		if s.Steps[w.Step].Phase != engine.PhaseWaiting {
			text += ": " + oneLine(w.Message)
		}
		steps = append(steps, text)
	}
	return strings.Join(steps, ", ")
}

// waitsOf returns the steps that wait: for a person or a time, for something that is unavailable, in an undo, or
// because a person has paused their target.
func waitsOf(s *engine.State) (waits []waitingOutput) {
	for _, id := range s.Started {
		run := s.Steps[id]
		switch {
		case s.Outcome != "":
		case run.Retrying != nil || run.WaitsFor != "":
			waits = append(waits, waitingOutput{Step: id, Name: run.Plan.Name, Message: standing(s, run)})
		case run.Phase == engine.PhaseWaiting:
			w := run.Progress.Wait
			message := cmp.Or(run.Progress.Message, waitReason(*w))
			waits = append(waits, waitingOutput{id, run.Plan.Name, message, w.Until, w.Signals, w.Roles})
		}
	}
	for _, t := range s.Plan.Targets {
		if held := s.Held(t.Name); held != nil {
			waits = append(waits, waitingOutput{
				Step: held.Plan.ID, Name: held.Plan.Name, Message: pausedText(s, held)})
		}
	}
	return waits
}

// DeploymentOf returns the deployment for JSON output, with its steps if steps is true.
func DeploymentOf(s *engine.State, steps bool) Deployment {
	out := Deployment{
		ID: s.ID, Application: s.Plan.Application, Status: s.Status(),
		StartedAt: s.StartedAt, StartedBy: s.StartedBy.Name, EndedAt: s.EndedAt, OvertakenBy: s.Overtaker,
		WaitsFor: waitsOf(s), state: s,
	}
	for _, t := range s.Plan.Targets {
		out.Targets = append(out.Targets, targetOutput{t.Name, s.Target(t.Name), s.Paused(t.Name)})
	}
	if !steps {
		return out
	}
	for _, p := range s.Plan.Steps {
		run := s.Steps[p.ID]
		o := stepOutput{
			ID: p.ID, Name: p.Name, Kind: p.Kind, Phase: run.Phase, StartedAt: run.StartedAt, EndedAt: run.EndedAt,
			Message: run.Progress.Message, Amount: run.Progress.Amount, Changes: run.Progress.Changes,
			Result: resultOf(run.Progress.Result), Failure: failureOf(run.Failure), Leftover: failureOf(run.Leftover),
			Retrying: failureOf(run.Retrying),
			Skipped:  run.Skipped, WaitsFor: run.WaitsFor,
		}
		if run.Phase == engine.PhaseWaiting {
			o.Wait = run.Progress.Wait
		}
		out.Steps = append(out.Steps, o)
	}
	return out
}

// Status writes one deployment in detail: its targets and steps, and the summary if a step failed.
func (m Summary) Status() error {
	s := m.State
	took := cmp.Or(s.EndedAt, time.Now()).Sub(s.StartedAt)
	m.line(0, "%s %s: %s, started %s by %s, %s",
		s.Plan.Application, s.ID, s.Status(), Moment(s.StartedAt), s.StartedBy.Name, Took(took))
	if text := overtaken(s); text != "" {
		m.line(1, "%s", text)
	}
	for _, t := range s.Plan.Targets {
		m.line(0, "\n%s: %s", t.Name, s.Target(t.Name))
		var rows [][]string
		for _, p := range s.Plan.Steps {
			if p.Target == t.Name && (p.Phase != sluice.PhaseOnRollback || !s.Steps[p.ID].StartedAt.IsZero()) {
				rows = append(rows, stepRow(s, s.Steps[p.ID]))
			}
		}
		if err := Table(m.Out, rows); err != nil {
			return err
		}
		m.stopped(t.Name)
	}
	failed := func(id sluice.StepID) bool { return s.Steps[id].Failure != nil }
	if s.Outcome != "" && (m.Unfinished || slices.ContainsFunc(s.Started, failed)) {
		m.line(0, "")
		m.Print()
	}
	return nil
}

// stopped says which workloads a step of the target may have stopped and not started again.
func (m Summary) stopped(target string) {
	open := []engine.RunPhase{engine.PhaseStarting, engine.PhaseRunning, engine.PhaseFailed, engine.PhaseUndoing,
		engine.PhaseUndoFailed}
	for _, p := range m.State.Plan.Steps {
		run := m.State.Steps[p.ID]
		if p.Target != target || !slices.Contains(open, run.Phase) {
			continue
		}
		for _, o := range dataset.MayStop(p, run.Progress.Snapshot) {
			ref, n := o.Ref(), o.Number(1, "spec", "replicas")
			m.line(1, "%s in %s may be stopped by %s; before, its replicas were %d", ref, ref.Namespace, p.ID, n)
			m.line(2, "if it is, and no sluice runs: sluice run --resume")
			m.line(2, "or by hand, in a cluster: kubectl scale --namespace %s %s --replicas %d", ref.Namespace,
				strings.ToLower(ref.Kind)+"/"+ref.Name, n)
		}
	}
}

func stepRow(s *engine.State, run *engine.StepRun) []string {
	elapsed := ""
	if !run.StartedAt.IsZero() {
		elapsed = Took(cmp.Or(run.EndedAt, time.Now()).Sub(run.StartedAt))
	}
	return []string{"  " + string(run.Plan.ID), string(run.Phase), elapsed, stepText(s, run)}
}

// stepText says the most important thing about a step now, after its name if it has one.
func stepText(s *engine.State, run *engine.StepRun) string {
	text := standing(s, run)
	if text == "" {
		return plan.Describe(run.Plan)
	}
	return strings.Join(filled(run.Plan.Name, text), ": ")
}

// standing says how a step stands, "" if there is nothing to say but what it is.
func standing(s *engine.State, run *engine.StepRun) string {
	switch {
	case run.Phase == engine.PhasePending:
		return strings.Join(filled(pausedText(s, run), continuing(s, run)), "; ")
	case run.Retrying != nil:
		return "tries again: " + run.Retrying.Message
	case run.WaitsFor != "":
		return run.WaitsFor
	case run.Phase == engine.PhaseUndoFailed:
		return "could not be undone: " + failureText(run.Leftover)
	case run.Leftover != nil:
		return "left something behind: " + run.Leftover.Message
	case run.Failure != nil:
		return firstLine(run.Failure)
	case run.Skipped != nil:
		return "skipped" + author(*run.Skipped)
	case run.Phase == engine.PhaseWaiting:
		return waits(s.ID, run.Plan.ID, run.Progress)
	case run.Progress.Message != "" || run.Progress.Amount != nil:
		return strings.Join(append([]string{liveText(run.Progress)}, unready(s, run)...), "; ")
	}
	return ""
}

// firstLine returns a failure without what the pods said.
func firstLine(f *sluice.Failure) string {
	if f == nil {
		return ""
	}
	first, _, _ := strings.Cut(f.Message, "\n")
	return first
}
