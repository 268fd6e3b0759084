// Package render fills in the variables of templates: of webhooks, queries and database addresses.
package render

import (
	"context"
	"maps"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/delivery"
	"github.com/sluice-cd/sluice/internal/step/deps"
	"github.com/sluice-cd/sluice/internal/template"
)

// How variables are written in deploy files.
var tag, variableName = template.Tag, template.Name

const (
	secretRoot  = "secrets."
	contextRoot = "context."
	previewRoot = "armory.preview."
	replicaSet  = "armory.replicaSetName"
)

// Text fills in the template's variables: armory.*, context.* from the plan and the step, secrets.*, and extra, whose
// keys are whole names. Nothing is escaped. An undefined variable is an Invalid error that lists what exists. The
// result may hold secrets; errors never do.
func Text(
	ctx context.Context, d deps.Deps, sc sluice.StepContext, template string, extra map[string]string,
) (string, error) {
	known := variables(sc, extra)
	var failed error
	text := tag.ReplaceAllStringFunc(template, func(m string) string {
		if failed != nil {
			return ""
		}
		value, err := lookup(ctx, d, sc, known, tag.FindStringSubmatch(m)[1])
		failed = err
		return value
	})
	if failed != nil {
		return "", failed
	}
	return text, nil
}

// Check finds variables of the template that can never be filled in, without asking for secrets.
func Check(sc sluice.StepContext, template string, extra map[string]string) error {
	known := variables(sc, extra)
	for _, m := range tag.FindAllStringSubmatch(template, -1) {
		if strings.HasPrefix(m[1], secretRoot) || strings.HasPrefix(m[1], previewRoot) || m[1] == replicaSet {
			continue
		}
		if _, ok := known[m[1]]; !ok {
			return undefined(sc, known, m[1])
		}
	}
	return nil
}

// CheckSecrets asks for every secret of the template, so that a missing one is found early.
func CheckSecrets(ctx context.Context, d deps.Deps, template string) error {
	for _, m := range tag.FindAllStringSubmatch(template, -1) {
		secret, ok := strings.CutPrefix(m[1], secretRoot)
		if !ok || d.Secrets == nil {
			continue
		}
		if _, err := d.Secrets.Secret(ctx, secret); err != nil {
			return err
		}
	}
	return nil
}

func lookup(
	ctx context.Context, d deps.Deps, sc sluice.StepContext, known map[string]string, variable string,
) (string, error) {
	if value, ok := known[variable]; ok {
		return value, nil
	}
	if secret, ok := strings.CutPrefix(variable, secretRoot); ok && d.Secrets != nil {
		return d.Secrets.Secret(ctx, secret)
	}
	if service, ok := strings.CutPrefix(variable, previewRoot); ok {
		return d.ServiceURL(ctx, sc, service)
	}
	if variable == replicaSet {
		name, err := delivery.ReplicaSet(ctx, d, sc)
		if err != nil || name != "" {
			return name, err
		}
		return "", sluice.Errorf(sluice.Invalid,
			"{{%s}} has no value: target %q has no Deployment", replicaSet, sc.Target.Name).At(sc.Step.Pos)
	}
	return "", undefined(sc, known, variable)
}

func undefined(sc sluice.StepContext, known map[string]string, variable string) error {
	message := "the variable {{%s}} is not defined"
	if !variableName.MatchString(variable) {
		message = "{{%s}} is not a variable; only {{name}} is filled in, not sections, partials or expressions"
	}
	return sluice.Errorf(sluice.Invalid, message, variable).
		WithHint("the variables here are: %s and secrets.<name>", deps.Names(known)).At(sc.Step.Pos)
}

// variables returns the values that are known without any request. The step's context wins over the file's.
func variables(sc sluice.StepContext, extra map[string]string) map[string]string {
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
