package gate

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/decision"
	"github.com/sluice-cd/sluice/internal/step/deps"
)

// pause waits for a time that a person may end early, or for a person until the approval expires. The instant it waits
// for is fixed when it starts, so a crash does not make it longer.
type pause struct {
	inert
	spec sluice.Pause
	now  func() time.Time
}

// NewPause returns the step that waits for a time or a person.
func NewPause(d deps.Deps, sc sluice.StepContext) (sluice.Step, error) {
	return &pause{spec: *sc.Step.Pause, now: d.Now}, nil
}

// Check says what the step waits for.
func (s *pause) Check(context.Context) (sluice.Preview, error) {
	if !s.spec.UntilApproved {
		return sluice.Preview{Notes: []string{"waits " + s.spec.Duration.String()}}, nil
	}
	return sluice.Preview{Notes: []string{"waits for " + s.approver() + s.expiry()}}, nil
}

// Start fixes until when it waits.
func (s *pause) Start(_ context.Context, p sluice.Progress) (sluice.Progress, error) {
	p.State = sluice.Waiting
	if !s.spec.UntilApproved {
		p.Wait = &sluice.Wait{Until: s.now().Add(s.spec.Duration), Signals: []string{sluice.SignalRollForward}}
		p.Message = "waiting " + s.spec.Duration.String()
		return p, nil
	}
	p.Wait = &sluice.Wait{
		Signals: []string{sluice.SignalApprove, sluice.SignalReject}, Roles: s.spec.RequiresRoles,
		Another: s.spec.ApprovedByAnother,
	}
	if s.spec.ApprovalExpiration > 0 {
		p.Wait.Until = s.now().Add(s.spec.ApprovalExpiration)
	}
	p.Message = "waiting for " + s.approver()
	return p, nil
}

// Observe checks whether the time has come or somebody has decided.
func (s *pause) Observe(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	if err := ctx.Err(); err != nil {
		return p, err
	}
	if p.Wait == nil {
		return s.Start(ctx, p)
	}
	if early, said := decision.Said(p, sluice.SignalRollForward); said {
		p.State, p.Wait, p.Message = sluice.Done, nil, decision.By("ended early", early)
		return p, nil
	}
	if out, ok, err := decision.Of(p); ok {
		return out, err
	}
	if p.Wait.Until.IsZero() || s.now().Before(p.Wait.Until) {
		return p, nil
	}
	if s.spec.UntilApproved {
		return p, sluice.Errorf(sluice.Failed, "nobody approved within %s", s.spec.ApprovalExpiration).
			WithHint("start the deployment again, or make approvalExpiration longer")
	}
	p.State, p.Wait, p.Message = sluice.Done, nil, fmt.Sprintf("waited %s", s.spec.Duration)
	return p, nil
}

func (s *pause) approver() string {
	if len(s.spec.RequiresRoles) == 0 {
		return "an approval"
	}
	return "the approval of " + strings.Join(s.spec.RequiresRoles, " or ")
}

func (s *pause) expiry() string {
	if s.spec.ApprovalExpiration == 0 {
		return ""
	}
	return ", at most " + s.spec.ApprovalExpiration.String()
}
