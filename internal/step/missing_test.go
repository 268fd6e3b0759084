package step_test

import (
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
)

// What pods cannot start without is found beforehand where nobody but Sluice could bring it.
func TestWhatPodsNeedIsFoundBeforehand(t *testing.T) {
	needing := func(field string, value map[string]any) sluice.Object {
		o := workload("Deployment", "web", "web:1")
		o.Set([]any{map[string]any{"name": "v", field: value}}, "spec", "template", "spec", "volumes")
		return o
	}
	config, mounting := object("v1", "ConfigMap", "c", nil), needing("configMap", map[string]any{"name": "c"})
	optional := needing("configMap", map[string]any{"name": "c", "optional": true})
	secret := needing("secret", map[string]any{"secretName": "s"})
	claim := needing("persistentVolumeClaim", map[string]any{"claimName": "p"})
	for name, tt := range map[string]struct {
		web    sluice.Object
		with   []sluice.Object // in the same release
		before []sluice.Object // in the account
		others bool            // write to the account too
		want   string          // "": nothing
	}{
		"a ConfigMap":            {web: mounting, want: "ConfigMap/c does not exist"},
		"a Secret":               {web: secret, want: "Secret/s does not exist"},
		"a claim":                {web: claim, want: "PersistentVolumeClaim/p"},
		"an optional one":        {web: optional},
		"one of the release":     {web: mounting, with: []sluice.Object{config}},
		"one that is there":      {web: mounting, before: []sluice.Object{config}},
		"one that others bring":  {web: mounting, others: true},
		"a variable from nobody": {web: withEnv("c"), want: "ConfigMap/c does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(tt.before...)
			account := b.account.Abilities()
			if !tt.others {
				account.Writers = nil
			}
			b.deps.Accounts["cluster"] = account
			got := b.add("apply", applying(false, append(tt.with, tt.web)...)).vet(t, "apply")
			if (len(got) > 0) != (tt.want != "") || tt.want != "" && !strings.Contains(got[0].Message, tt.want) {
				t.Errorf("found %v, want %q", got, tt.want)
			}
		})
	}
}

func withEnv(configMap string) sluice.Object {
	o := workload("Deployment", "web", "web:1")
	from := map[string]any{"configMapKeyRef": map[string]any{"name": configMap, "key": "k"}}
	o.List("spec", "template", "spec", "containers")[0]["env"] = []any{map[string]any{"name": "K", "valueFrom": from}}
	return o
}
