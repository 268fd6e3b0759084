package service

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/template"
)

// UsesOf returns the secrets and metric providers that the steps of the target use.
func UsesOf(p *sluice.Plan, target string) (u access.Uses, err error) {
	for _, s := range p.Steps {
		if s.Target != target {
			continue
		}
		names, err := secretsOf(s)
		if err != nil {
			return access.Uses{}, err
		}
		u.Secrets, u.Metrics = append(u.Secrets, names...), append(u.Metrics, providersOf(s)...)
	}
	return u, nil
}

// secretsOf returns the sorted names of the secrets that templates of the step use. Manifests are no templates for
// secrets. Every text is read as a step reads it, so that no way of writing a template hides a name.
func secretsOf(s sluice.PlannedStep) ([]string, error) {
	s.Apply, s.RunJob = nil, nil
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return nil, err
	}
	return slices.Compact(slices.Sorted(slices.Values(textsUse(value)))), nil
}

// textsUse returns the names in every text of the value.
func textsUse(value any) (names []string) {
	switch v := value.(type) {
	case string:
		return template.Parse(v).Names("secrets.")
	case []any:
		for _, item := range v {
			names = append(names, textsUse(item)...)
		}
	case map[string]any:
		for item := range maps.Values(v) {
			names = append(names, textsUse(item)...)
		}
	}
	return names
}
