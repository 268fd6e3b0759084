package engine

import (
	"fmt"
	"slices"

	"github.com/sluice-cd/sluice"
)

// Admit refuses a signal that does not fit the deployment's state. NotFound: the step does not exist; Conflict: the
// deployment has ended, got this signal before, or does not wait for it; Denied: a step that it decides requires a role
// that the actor lacks. It is pure.
func Admit(s *State, sig sluice.Signal) error {
	if s.Outcome != "" {
		return ended(s)
	}
	if sig.Kind == sluice.SignalRollBack || sig.Kind == sluice.SignalCancel {
		if s.Halt != nil {
			return sluice.Errorf(sluice.Conflict, "deployment %s was already told to %s", s.ID, s.Halt.Kind)
		}
		return nil
	}
	if sig.Kind == sluice.SignalPause || sig.Kind == sluice.SignalContinue {
		return admitPause(s, sig)
	}
	run := s.Steps[sig.Step]
	if run == nil {
		return sluice.Errorf(sluice.NotFound, "deployment %s has no step %q", s.ID, sig.Step).
			WithHint("see its steps with: sluice status %s", s.ID)
	}
	if sig.Kind == sluice.SignalPromote {
		return admitPromotion(s, run, sig)
	}
	if !run.expects(sig.Kind) {
		return sluice.Errorf(sluice.Conflict, "step %s does not wait for %s", sig.Step, sig.Kind).
			WithHint("see what it waits for with: sluice status %s", s.ID)
	}
	return permit(s, run, sig)
}

// expects reports whether the step waits for such a signal and has not received one. A callback may arrive before the
// answer to the request that asked for it.
func (r *StepRun) expects(kind string) bool {
	if slices.ContainsFunc(r.Progress.Signals, func(s sluice.Signal) bool { return s.Kind == kind }) {
		return false
	}
	if kind == sluice.SignalCallback && (r.Phase == PhaseStarting || r.Phase == PhaseRunning) {
		return true
	}
	return r.Phase == PhaseWaiting && slices.Contains(r.Progress.Wait.Signals, kind)
}

func permit(s *State, run *StepRun, sig sluice.Signal) error {
	if run.Progress.Wait == nil || sig.Kind == sluice.SignalCallback {
		return nil
	}
	if run.Progress.Wait.Another && sig.Kind != sluice.SignalReject {
		if err := needAnother(s, sig); err != nil {
			return err
		}
	}
	return needRole(run.Progress.Wait.Roles, sig, fmt.Sprintf("%s of step %s", sig.Kind, sig.Step))
}

// needAnother refuses a signal of who started the deployment. An identity that a server proved tells people apart, a
// name does so without one.
func needAnother(s *State, sig sluice.Signal) error {
	same := sig.By.Name == s.StartedBy.Name
	if sig.By.Identity != "" || s.StartedBy.Identity != "" {
		same = sig.By.Identity == s.StartedBy.Identity
	}
	if !same {
		return nil
	}
	return sluice.Errorf(sluice.Denied, "%s started deployment %s, so another person has to %s", sig.By.Name, s.ID,
		sig.Kind).WithHint("ask another person to approve it")
}

// needRole refuses a signal whose actor has none of the roles, if there are any.
func needRole(roles []string, sig sluice.Signal, what string) error {
	if len(roles) == 0 {
		return nil
	}
	if slices.ContainsFunc(sig.By.Roles, func(role string) bool { return slices.Contains(roles, role) }) {
		return nil
	}
	return sluice.Errorf(sluice.Denied, "%s takes one of the roles %v", what, roles).
		WithHint("name the role in which you decide: --role %q", roles[0])
}

func ended(s *State) error {
	e := sluice.Errorf(sluice.Conflict, "deployment %s has ended: %s", s.ID, s.Outcome)
	if s.Overtaker != "" {
		return e.WithHint("deployment %s came after it; see it with: sluice status %[1]s", s.Overtaker)
	}
	return e.WithHint("to go back to the release before it, type: sluice rollback %s", s.ID)
}
