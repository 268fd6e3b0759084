package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/sqlite"
)

// record adds a signal to the log of a deployment that nobody carries out. The caller holds the lock.
func record(ctx context.Context, dir stateDir, id sluice.DeploymentID, sig sluice.Signal) (err error) {
	store, err := sqlite.Open(ctx, dir.store())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	state, err := engine.Fold(id, store.Read(ctx, id, 0))
	if err != nil {
		return err
	}
	if err := admit(state, sig); err != nil {
		return err
	}
	return store.Append(ctx, id, state.Seq, sluice.Event{At: time.Now(), Kind: sluice.SignalReceived, Signal: &sig})
}

// admit refuses a signal that makes no sense to the deployment as it stands.
func admit(s *engine.State, sig sluice.Signal) error {
	if s.Outcome != "" {
		return sluice.Errorf(sluice.Conflict, "deployment %s has ended: %s", s.ID, s.Outcome)
	}
	if sig.Step == "" {
		if s.Halt != nil {
			return sluice.Errorf(sluice.Conflict, "deployment %s was told to %s already", s.ID, s.Halt.Kind)
		}
		return nil
	}
	run := s.Steps[sig.Step]
	if run == nil {
		return sluice.Errorf(sluice.NotFound, "deployment %s has no step %q", s.ID, sig.Step).WithHint("see its steps with: sluice status %s", s.ID)
	}
	said := slices.ContainsFunc(run.Progress.Signals, func(old sluice.Signal) bool { return old.Kind == sig.Kind })
	if run.Phase != engine.PhaseWaiting || said || !slices.Contains(run.Progress.Wait.Signals, sig.Kind) {
		return sluice.Errorf(sluice.Conflict, "step %s does not wait for %s", sig.Step, sig.Kind)
	}
	return permit(run.Progress.Wait.Roles, sig)
}

func permit(roles []string, sig sluice.Signal) error {
	has := func(role string) bool { return slices.Contains(sig.By.Roles, role) }
	if len(roles) == 0 || slices.ContainsFunc(roles, has) {
		return nil
	}
	return sluice.Errorf(sluice.Denied, "%s of step %s takes one of the roles %v", sig.Kind, sig.Step, roles).WithHint("say in which role you decide: --role %s", roles[0])
}
