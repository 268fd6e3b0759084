package data_test

import (
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/step"
)

// A dataset that is neither in its target nor brought by an earlier step is found before anything starts.
func TestAMissingDatasetIsFoundBeforehand(t *testing.T) {
	apply := func(objects ...sluice.Object) sluice.PlannedStep {
		return sluice.PlannedStep{ID: "prod/apply", Target: "prod",
			StepSpec: sluice.StepSpec{Kind: sluice.KindApply, Apply: &sluice.Apply{Objects: objects}}}
	}
	named := func(kind, name string) sluice.Object {
		return sluice.Object{
			"apiVersion": "apps/v1", "kind": kind, "metadata": map[string]any{"name": name, "namespace": "prod"},
		}
	}
	for name, tt := range map[string]struct {
		before []sluice.PlannedStep
		uri    string
		want   string // "": nothing
	}{
		"nobody brings it":          {want: "no workload StatefulSet/mongo"},
		"an earlier step brings it": {before: []sluice.PlannedStep{apply(named("StatefulSet", "mongo"))}},
		"an earlier step brings others": {
			before: []sluice.PlannedStep{apply(named("StatefulSet", "redis"))}, want: "no workload StatefulSet/mongo",
		},
		"its address has no value": {uri: "mongodb://{{context.host}}", want: "{{context.host}} is not defined"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.deploy("prod", "db:1", abc())
			delete(w.objects, sluice.Ref{APIVersion: "apps/v1", Kind: "StatefulSet", Namespace: "prod", Name: "mongo"})
			w.plan = tt.before
			spec := checkpointing(1)
			if tt.uri != "" {
				spec.CheckpointData.Spec.URI = tt.uri
			}
			got, err := (&engine.Vetting{Steps: step.New(w.deps())}).Vet(t.Context(), w.context("d1", "prod", spec, nil))
			if err != nil || (len(got) > 0) != (tt.want != "") || tt.want != "" && !strings.Contains(got[0].Message, tt.want) {
				t.Errorf("found %v, %v; want %q", got, err, tt.want)
			}
		})
	}
}
