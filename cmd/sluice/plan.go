package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/plan"
)

// The forms in which other tools draw a plan. They show what is declared and ask no account.
const (
	outputMermaid = "mermaid"
	outputDot     = "dot"
)

func newPlan(a *app) *cobra.Command {
	s := &source{}
	offline := false
	cmd := &cobra.Command{
		Use: "plan", Short: "Show what a deployment would do",
		Long: "Plan shows every target and step of a deploy file in its order, what each step would change where its account can be\n" +
			"reached, how long the waits are, what a rollback would bring back and what it would not. It changes nothing. A right that\n" +
			"is missing on an account is listed, and the exit status is 6.",
		Example:     "  sluice plan -f deploy.yaml\n  sluice plan -f deploy.yaml --target staging --offline\n  sluice plan -f deploy.yaml --output mermaid",
		Annotations: map[string]string{moreOutputs: outputMermaid + " " + outputDot},
		RunE:        func(cmd *cobra.Command, _ []string) error { return a.plan(cmd.Context(), s, offline) },
	}
	s.flags(cmd)
	cmd.Flags().BoolVar(&offline, "offline", false, "ask no account what each step would change")
	return cmd
}

type planOutput struct {
	Plan     *sluice.Plan                     `json:"plan"`
	Previews map[sluice.StepID]sluice.Preview `json:"previews,omitempty"`
	Unknown  map[sluice.StepID]string         `json:"unknown,omitempty"` // why a step could not tell what it would do
	Missing  []missingRight                   `json:"missingRights,omitempty"`
}

func (a *app) plan(ctx context.Context, s *source, offline bool) error {
	c, err := a.configuration(s.file)
	if err != nil {
		return err
	}
	dir, err := a.stateDir()
	if err != nil {
		return err
	}
	key, err := dir.key()
	if err != nil {
		return err
	}
	s.local = localAccounts(c)
	if store, err := dir.read(ctx); err == nil {
		defer store.Close()
		s.history = store
	}
	p, _, ds, err := s.compile(ctx, key)
	if err != nil {
		return err
	}
	if ds.HasErrors() {
		return ds
	}
	a.findings(ds)
	switch a.output {
	case outputMermaid:
		return plan.Mermaid(a.out, p)
	case outputDot:
		return plan.Dot(a.out, p)
	}
	out := planOutput{Plan: p}
	if !offline {
		if err := a.preview(ctx, &wiring{dir: dir, config: c, key: key}, &out); err != nil {
			return err
		}
	}
	if err := a.writePlan(out); err != nil || len(out.Missing) == 0 {
		return err
	}
	return denied(out.Missing)
}

func (a *app) writePlan(out planOutput) error {
	if a.json() {
		return writeJSON(a.out, out)
	}
	err := plan.Tree(a.out, out.Plan, out.shown())
	if err != nil || len(out.Missing) == 0 {
		return err
	}
	fmt.Fprintf(a.out, "\nrights that are missing:\n\n")
	return printMissing(a.out, out.Missing)
}

// preview asks each step what it would do. A step that cannot say is no reason to hide the others.
func (a *app) preview(ctx context.Context, w *wiring, out *planOutput) (err error) {
	if err := checkAccounts(out.Plan, w.config); err != nil {
		return err
	}
	w.only, w.passive, w.catalogue, w.callbackBase = out.Plan, true, noCatalogue{}, "http://"+w.config.Webhooks.CallbackAddress
	if store, err := w.dir.read(ctx); err == nil {
		defer store.Close()
		w.catalogue = store
	}
	defer func() { err = errors.Join(err, w.close.run()) }()
	steps, err := w.steps(ctx)
	if err != nil {
		return err
	}
	if out.Missing, err = missing(ctx, out.Plan, w.opened); err != nil {
		a.note("warning: %v", err)
	}
	out.Previews, out.Unknown = map[sluice.StepID]sluice.Preview{}, map[sluice.StepID]string{}
	for _, planned := range out.Plan.Steps {
		if t, _ := out.Plan.Target(planned.Target); !w.reached[t.Account] {
			out.Unknown[planned.ID] = "account " + t.Account + " does not run; it is started by sluice run"
			continue
		}
		p, err := check(ctx, steps, out.Plan, planned)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			out.Unknown[planned.ID] = err.Error()
			continue
		}
		p.Snapshot = nil // what undo needs is nothing for people
		out.Previews[planned.ID] = p
	}
	return nil
}

func check(ctx context.Context, steps sluice.Steps, p *sluice.Plan, planned sluice.PlannedStep) (sluice.Preview, error) {
	target, _ := p.Target(planned.Target)
	s, err := steps.New(sluice.StepContext{Deployment: "preview", Plan: p, Target: target, Step: planned, Report: func(sluice.Progress) {}})
	if err != nil {
		return sluice.Preview{}, err
	}
	return s.Check(ctx)
}

// shown adds to the previews why others are missing.
func (o planOutput) shown() map[sluice.StepID]sluice.Preview {
	all := map[sluice.StepID]sluice.Preview{}
	for id, p := range o.Previews {
		all[id] = p
	}
	for id, why := range o.Unknown {
		all[id] = sluice.Preview{Notes: []string{"not known yet: " + why}}
	}
	return all
}

// noCatalogue is the catalogue of a state directory that nothing was deployed from.
type noCatalogue struct{}

func (noCatalogue) PutCheckpoint(context.Context, sluice.Checkpoint) error {
	return sluice.Errorf(sluice.Denied, "a preview keeps no checkpoint")
}

func (noCatalogue) Checkpoint(_ context.Context, id sluice.CheckpointID) (sluice.Checkpoint, error) {
	return sluice.Checkpoint{}, sluice.Errorf(sluice.NotFound, "there is no checkpoint %s", id)
}

func (noCatalogue) Checkpoints(context.Context, string) ([]sluice.Checkpoint, error) { return nil, nil }

func (noCatalogue) DeleteCheckpoint(context.Context, sluice.CheckpointID) error { return nil }
