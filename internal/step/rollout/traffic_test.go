package rollout

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/steptest"
)

func selecting(name string, labels, selector map[string]any) sluice.Object {
	return sluice.Object{
		"apiVersion": "v1", "kind": "Service",
		"metadata": map[string]any{"name": name, "namespace": "prod", "labels": labels},
		"spec":     map[string]any{"selector": selector},
	}
}

// The traffic of a route's own Service for the canary is not divided, no matter who made it. The traffic of a Service
// that is narrowed to a track for a while is.
func TestOnlyWhatUsersReachIsDivided(t *testing.T) {
	app, canary := map[string]any{"app": "web"}, map[string]any{"app": "web", sluice.TrackLabel: sluice.TrackCanary}
	account := steptest.NewAccount(
		selecting("web", nil, canary), selecting("admin", nil, app), selecting("other", nil, map[string]any{"app": "other"}),
		selecting("web-canary", map[string]any{sluice.TrackLabel: sluice.TrackCanary}, canary),
		selecting("web-next", nil, app),
	)
	mesh := []sluice.SMI{{RootServiceName: "web", CanaryServiceName: "web-next"}}
	sc := sluice.StepContext{Target: sluice.PlannedTarget{Traffic: []sluice.Traffic{{SMI: mesh}}}}
	web := sluice.Object{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "web", "namespace": "prod"},
		"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{"labels": app}}},
	}
	list, err := target{account: account.Abilities(), sc: sc}.divisions(t.Context(), nil, []sluice.Object{web})
	if err != nil {
		t.Fatal(err)
	}
	var services []string
	for _, d := range list {
		services = append(services, d.Service)
	}
	if diff := cmp.Diff([]string{"admin", "web"}, services); diff != "" {
		t.Errorf("divided Services (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"admin"}, unrouted(list, sc)); diff != "" {
		t.Errorf("Services that no route names (-want +got):\n%s", diff)
	}
}
