// Package render fills in the variables of templates: of webhooks, queries and database addresses.
package render

import (
	"context"
	"errors"
	"maps"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/delivery"
	"github.com/sluice-cd/sluice/internal/step/deps"
	"github.com/sluice-cd/sluice/internal/template"
)

const (
	secretRoot  = "secrets."
	contextRoot = "context."
	previewRoot = "armory.preview."
	replicaSet  = "armory.replicaSetName"
)

// Variables are what the templates of one step may use.
type Variables struct {
	deps  deps.Deps
	sc    sluice.StepContext
	known map[string]string
}

// For returns the variables of the step: armory.*, context.* from the plan and the step, secrets.*, and extra, whose
// keys are whole names.
func For(d deps.Deps, sc sluice.StepContext, extra map[string]string) Variables {
	return Variables{d, sc, known(sc, extra)}
}

// Text fills in the template. Values are written as the format needs them. An undefined variable is an Invalid error
// that lists what exists. The result may hold secrets; errors never do.
func (v Variables) Text(ctx context.Context, t template.Template, f template.Format) (string, error) {
	text, err := t.Fill(f, func(name string) (string, error) { return v.lookup(ctx, name) })
	return text, v.placed(err)
}

// Check finds what can never be filled in, without asking for secrets.
func (v Variables) Check(t template.Template) error {
	for _, g := range t.Tags() {
		if strings.HasPrefix(g.Name, secretRoot) || strings.HasPrefix(g.Name, previewRoot) || g.Name == replicaSet {
			continue
		}
		if _, ok := v.known[g.Name]; !ok {
			return v.undefined(g.Name)
		}
	}
	return v.placed(t.Check())
}

// CheckSecrets asks for every secret of the template, so that a missing one is found early.
func (v Variables) CheckSecrets(ctx context.Context, t template.Template) error {
	if v.deps.Secrets == nil {
		return nil
	}
	for _, name := range t.Names(secretRoot) {
		if _, err := v.deps.Secrets.Secret(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// placed adds the place of the step to an error without one.
func (v Variables) placed(err error) error {
	if e, ok := errors.AsType[*sluice.Error](err); ok && e == err && !e.Pos.IsValid() && e.Code == sluice.Invalid {
		return e.At(v.sc.Step.Pos)
	}
	return err
}

func (v Variables) lookup(ctx context.Context, variable string) (string, error) {
	if value, ok := v.known[variable]; ok {
		return value, nil
	}
	if secret, ok := strings.CutPrefix(variable, secretRoot); ok && v.deps.Secrets != nil {
		return v.deps.Secrets.Secret(ctx, secret)
	}
	if service, ok := strings.CutPrefix(variable, previewRoot); ok {
		return v.deps.ServiceURL(ctx, v.sc, service)
	}
	if variable == replicaSet {
		name, err := delivery.ReplicaSet(ctx, v.deps, v.sc)
		if err != nil || name != "" {
			return name, err
		}
		return "", sluice.Errorf(sluice.Invalid,
			"{{%s}} has no value: target %q has no Deployment", replicaSet, v.sc.Target.Name)
	}
	return "", v.undefined(variable)
}

func (v Variables) undefined(variable string) error {
	message := "the variable {{%s}} is not defined"
	if !(template.Tag{Name: variable}).IsVariable() {
		message = "{{%s}} is not a variable; only {{name}} is filled in, not sections, partials or expressions"
	}
	return sluice.Errorf(sluice.Invalid, message, variable).
		WithHint("the variables here are: %s and secrets.<name>", deps.Names(v.known)).At(v.sc.Step.Pos)
}

// known returns the values that are known without any request. The step's context wins over the file's.
func known(sc sluice.StepContext, extra map[string]string) map[string]string {
	known := map[string]string{
		"armory.deploymentId":    string(sc.Deployment),
		"armory.pipelineId":      string(sc.Deployment),
		"armory.environmentName": sc.Target.Name,
		"armory.accountName":     sc.Target.Account,
		"armory.namespace":       sc.Target.Namespace,
	}
	if sc.Plan != nil {
		known["armory.applicationName"] = sc.Plan.Application
		for k, v := range sc.Plan.Context {
			known[contextRoot+k] = v
		}
	}
	for k, v := range stepContext(sc.Step) {
		known[contextRoot+k] = v
	}
	maps.Copy(known, extra)
	return known
}

func stepContext(s sluice.PlannedStep) map[string]string {
	switch {
	case s.RunWebhook != nil:
		return s.RunWebhook.Context
	case s.Analysis != nil:
		return s.Analysis.Context
	}
	return nil
}
