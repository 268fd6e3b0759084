package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/plan"
	"github.com/sluice-cd/sluice/internal/service"
)

// maxListed is how many deployments a list shows.
const maxListed = 20

func newStatus(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "status [DEPLOYMENT]", Short: "Show the deployments, or one of them in detail",
		Long: "Status lists the latest deployments. With the beginning of an id it shows that deployment's targets and steps, what it\n" +
			"waits for and what to type.",
		Example: "  sluice status\n  sluice status 6921a\n  sluice status 6921a --output json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.reading(cmd.Context(), func(store sluice.Store) error { return a.status(cmd.Context(), store, args) })
		},
	}
}

// A deploymentOutput is a deployment in JSON.
type deploymentOutput struct {
	ID          sluice.DeploymentID `json:"id"`
	Application string              `json:"application"`
	Status      sluice.Status       `json:"status"`
	StartedAt   time.Time           `json:"startedAt"`
	StartedBy   string              `json:"startedBy"`
	EndedAt     time.Time           `json:"endedAt,omitzero"`
	Targets     []targetOutput      `json:"targets"`
	Steps       []stepOutput        `json:"steps,omitempty"`
}

type targetOutput struct {
	Name   string        `json:"name"`
	Status sluice.Status `json:"status"`
}

type stepOutput struct {
	ID        sluice.StepID   `json:"id"`
	Kind      sluice.StepKind `json:"kind"`
	Phase     engine.RunPhase `json:"phase"`
	StartedAt time.Time       `json:"startedAt,omitzero"`
	EndedAt   time.Time       `json:"endedAt,omitzero"`
	Message   string          `json:"message,omitempty"`
	Wait      *sluice.Wait    `json:"wait,omitempty"`
	Amount    *sluice.Amount  `json:"amount,omitempty"`
	Changes   []sluice.Change `json:"changes,omitempty"`
	Result    *sluice.Result  `json:"result,omitempty"`
	Failure   *sluice.Failure `json:"failure,omitempty"`
	Leftover  *sluice.Failure `json:"leftover,omitempty"`
	Retrying  *sluice.Failure `json:"retrying,omitempty"`
}

func (a *app) status(ctx context.Context, store sluice.Store, args []string) error {
	list, err := store.Deployments(ctx, "")
	if err != nil {
		return err
	}
	if len(args) == 0 {
		return a.statusList(ctx, store, list)
	}
	d, err := service.Find(list, args[0], service.IsRunning)
	if err != nil {
		return err
	}
	state, err := engine.Fold(d.ID, store.Read(ctx, d.ID, 0))
	if err != nil {
		return err
	}
	if a.json() {
		return writeJSON(a.out, outputOf(state, true))
	}
	return a.statusText(state)
}

func (a *app) statusList(ctx context.Context, store sluice.Store, list []sluice.Deployment) error {
	outputs := []deploymentOutput{}
	rows := [][]string{{"DEPLOYMENT", "APPLICATION", "STATUS", "STARTED", "TOOK", "WAITS FOR"}}
	for _, d := range list[:min(len(list), maxListed)] {
		state, err := engine.Fold(d.ID, store.Read(ctx, d.ID, 0))
		if err != nil {
			return err
		}
		outputs = append(outputs, outputOf(state, false))
		rows = append(rows, []string{string(d.ID), d.Application, string(state.Status()), moment(d.StartedAt), took(age(state)), waitingSteps(state)})
	}
	if a.json() {
		return writeJSON(a.out, outputs)
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(a.out, "nothing was deployed from here yet")
		return err
	}
	return table(a.out, rows)
}

func age(s *engine.State) time.Duration {
	if s.EndedAt.IsZero() {
		return time.Since(s.StartedAt)
	}
	return s.EndedAt.Sub(s.StartedAt)
}

func waitingSteps(s *engine.State) string {
	text := ""
	for _, id := range s.Started {
		if run := s.Steps[id]; s.Outcome == "" && run.Phase == engine.PhaseWaiting {
			if text != "" {
				text += ", "
			}
			text += string(id)
		}
	}
	return text
}

func outputOf(s *engine.State, steps bool) deploymentOutput {
	out := deploymentOutput{
		ID: s.ID, Application: s.Plan.Application, Status: s.Status(),
		StartedAt: s.StartedAt, StartedBy: s.StartedBy.Name, EndedAt: s.EndedAt,
	}
	for _, t := range s.Plan.Targets {
		out.Targets = append(out.Targets, targetOutput{t.Name, s.Target(t.Name)})
	}
	if !steps {
		return out
	}
	for _, p := range s.Plan.Steps {
		run := s.Steps[p.ID]
		o := stepOutput{
			ID: p.ID, Kind: p.Kind, Phase: run.Phase, StartedAt: run.StartedAt, EndedAt: run.EndedAt,
			Message: run.Progress.Message, Amount: run.Progress.Amount, Changes: run.Progress.Changes, Result: run.Progress.Result,
			Failure: run.Failure, Leftover: run.Leftover, Retrying: run.Retrying,
		}
		if run.Phase == engine.PhaseWaiting {
			o.Wait = run.Progress.Wait
		}
		out.Steps = append(out.Steps, o)
	}
	return out
}

func (a *app) statusText(s *engine.State) error {
	fmt.Fprintf(a.out, "%s %s: %s, started %s by %s, %s\n", s.Plan.Application, s.ID, s.Status(), moment(s.StartedAt), s.StartedBy.Name, took(age(s)))
	for _, t := range s.Plan.Targets {
		fmt.Fprintf(a.out, "\n%s: %s\n", t.Name, s.Target(t.Name))
		var rows [][]string
		for _, p := range s.Plan.Steps {
			if p.Target == t.Name && (p.Phase != sluice.PhaseOnRollback || !s.Steps[p.ID].StartedAt.IsZero()) {
				rows = append(rows, stepRow(s, s.Steps[p.ID]))
			}
		}
		if err := table(a.out, rows); err != nil {
			return err
		}
	}
	if s.Outcome == "" {
		return nil
	}
	dir, err := a.stateDir()
	if err != nil || !slices.ContainsFunc(s.Started, func(id sluice.StepID) bool { return s.Steps[id].Failure != nil }) {
		return err
	}
	fmt.Fprintln(a.out)
	summary{out: a.out, state: s, dir: dir, styles: a.styles}.print()
	return nil
}

func stepRow(s *engine.State, run *engine.StepRun) []string {
	elapsed := ""
	if !run.StartedAt.IsZero() {
		end := run.EndedAt
		if end.IsZero() {
			end = time.Now()
		}
		elapsed = took(end.Sub(run.StartedAt))
	}
	return []string{"  " + string(run.Plan.ID), string(run.Phase), elapsed, stepText(s.ID, run)}
}

// stepText is the one thing to know about a step now.
func stepText(id sluice.DeploymentID, run *engine.StepRun) string {
	switch {
	case run.Leftover != nil:
		return run.Leftover.Message
	case run.Failure != nil:
		return run.Failure.Message
	case run.Retrying != nil:
		return "tries again: " + run.Retrying.Message
	case run.Phase == engine.PhaseWaiting:
		return waits(id, run.Plan.ID, run.Progress)
	case run.Progress.Message != "" || run.Progress.Amount != nil:
		return liveText(run.Progress)
	}
	return plan.Describe(run.Plan)
}
