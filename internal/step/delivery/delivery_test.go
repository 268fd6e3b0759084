package delivery_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/delivery"
)

func deployment(container map[string]any) sluice.Object {
	container["name"] = "main"
	o := sluice.Object{"kind": "Deployment", "metadata": map[string]any{"name": "web"}}
	o.Set([]any{container}, "spec", "template", "spec", "containers")
	return o
}

func versionOf(id sluice.DeploymentID) delivery.Version {
	return delivery.VersionOf(sluice.StepContext{Deployment: id}, "web")
}

// Stamped for one version and then as another one, a Deployment is as if it had only been stamped as the other one.
func TestRestamp(t *testing.T) {
	with := deployment(map[string]any{"env": []any{
		map[string]any{"name": "KEY", "value": "1"}, map[string]any{"name": "ARMORY_DEPLOYMENT_ID", "value": "mine"},
	}})
	without := deployment(map[string]any{})
	for name, declared := range map[string]sluice.Object{"with variables": with, "without": without} {
		for what, version := range map[string]delivery.Version{"another": versionOf("before"), "none": {}} {
			want := declared.Clone()
			want.Set(map[string]any{"app": "web"}, "spec", "template", "metadata", "labels")
			got := want.Clone()
			delivery.Stamp(want, version)
			delivery.Stamp(got, versionOf("now"))
			delivery.Restamp(got, declared, version)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s, %s: -want +got\n%s", name, what, d)
			}
		}
	}
}
