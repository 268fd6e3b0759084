package rehearsal

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
)

// Surroundings are what the steps of one rehearsal use in place of the real world.
type Surroundings struct {
	Metrics   map[string]sluice.Metrics // beside those that are configured
	Secrets   sluice.Secrets
	HTTP      *http.Client
	Catalogue sluice.Catalogue
}

// Parts are what rehearsed steps need.
type Parts struct {
	Real      sluice.Steps                                             // makes the steps of plans that are not rehearsals
	Make      func(p *sluice.Plan, s Surroundings) sluice.Steps        // makes ordinary steps within surroundings
	Secrets   sluice.Secrets                                           // those that exist
	Catalogue sluice.Catalogue                                         // of all checkpoints
	Callback  func(sluice.DeploymentID, sluice.StepID) (string, error) // the URL with its secret, which is never shown
}

// Steps returns a maker that rehearses the plans of rehearsals, and leaves all others to parts.Real.
func Steps(parts Parts) sluice.Steps { return steps{parts} }

type steps struct{ Parts }

// New makes the step.
func (m steps) New(sc sluice.StepContext) (sluice.Step, error) {
	if sc.Plan == nil || sc.Plan.Rehearsal == nil {
		return m.Real.New(sc)
	}
	if why := skipped(sc); why != "" {
		return sluice.LeftOut{Why: why}, nil
	}
	r, err := m.receiver(sc)
	if err != nil {
		return nil, err
	}
	real, err := m.Make(sc.Plan, Surroundings{
		Metrics: metrics(sc.Plan.Rehearsal), Secrets: r.hide, HTTP: &http.Client{Transport: r},
		Catalogue: own{m.Catalogue, sc.Deployment},
	}).New(sc)
	if err != nil {
		return nil, err
	}
	switch sc.Step.Kind {
	case sluice.KindRunWebhook:
		return webhook{real, r, sc}, nil
	case sluice.KindRunJob:
		return job{real, sc}, nil
	case sluice.KindMigrateData, sluice.KindCheckpointData, sluice.KindRestoreData:
		return copied{real}, nil
	case sluice.KindPause, sluice.KindAnalysis:
		if sc.Plan.Rehearsal.Approve {
			return approved{real}, nil
		}
	}
	return real, nil
}

// receiver returns the receiver of the step's requests, which also masks its secrets.
func (m steps) receiver(sc sluice.StepContext) (*receiver, error) {
	r := &receiver{hide: newHidden(m.Secrets, "")}
	hook := sc.Step.RunWebhook
	if hook == nil || hook.Webhook == nil {
		return r, nil
	}
	r.hide = newHidden(m.Secrets, hook.Webhook.URITemplate)
	r.fail = hook.Webhook.DisableCallback && sc.Plan.Rehearsal.Webhooks[hook.Name] == sluice.RehearseFail
	callback, err := m.Callback(sc.Deployment, sc.Step.ID)
	if err != nil {
		return nil, err
	}
	r.hide.hide(callback, callback[:strings.LastIndexByte(callback, '/')+1]+"***")
	return r, nil
}

// skipped says why a step is skipped, "" if it is not.
func skipped(sc sluice.StepContext) string {
	s := sc.Step
	switch {
	case s.VerifyData != nil && s.VerifyData.Spec.Engine == engineFiles:
		return "rehearsed, not verified: the database is a stand-in"
	case s.VerifyData != nil && sc.Results[s.VerifyData.From].Checkpoint == "":
		return "rehearsed, not verified: there is no copy to compare with"
	case s.WaitFor != nil && isInert(s):
		return "rehearsed: " + s.WaitFor.Object + " is only stored; the wait counts as met"
	}
	return ""
}

// metrics returns a provider for every query that the rehearsal answers.
func metrics(r *sluice.Rehearsal) map[string]sluice.Metrics {
	all := map[string]sluice.Metrics{}
	for name, value := range r.Metrics {
		all[metricPrefix+name] = constant{value}
	}
	return all
}

// A constant answers every query with the same value.
type constant struct{ value *float64 }

func (c constant) Measure(context.Context, string, time.Time) (float64, error) {
	if c.value == nil {
		return 0, sluice.Errorf(sluice.NotFound, "the rehearsal has no data")
	}
	return *c.value, nil
}

// own shows a rehearsal only its own checkpoints, so that it never deletes real ones.
type own struct {
	sluice.Catalogue
	deployment sluice.DeploymentID
}

// Checkpoints lists those of the deployment.
func (o own) Checkpoints(ctx context.Context, application string) ([]sluice.Checkpoint, error) {
	all, err := o.Catalogue.Checkpoints(ctx, application)
	var mine []sluice.Checkpoint
	for _, c := range all {
		if c.Deployment == o.deployment {
			mine = append(mine, c)
		}
	}
	return mine, err
}
