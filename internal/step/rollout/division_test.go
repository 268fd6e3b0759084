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
		"metadata": map[string]any{"name": name, "namespace": "prod", "labels": labels}, "spec": map[string]any{"selector": selector},
	}
}

// The Service that a route has for the canary is no Service whose traffic is divided, whoever made it; one that is
// narrowed to a track for a while is.
func TestOnlyWhatUsersReachIsDivided(t *testing.T) {
	app, canary := map[string]any{"app": "web"}, map[string]any{"app": "web", sluice.TrackLabel: sluice.TrackCanary}
	account := steptest.NewAccount(
		selecting("web", nil, canary), selecting("admin", nil, app), selecting("other", nil, map[string]any{"app": "other"}),
		selecting("web-canary", map[string]any{sluice.TrackLabel: sluice.TrackCanary}, canary), selecting("web-next", nil, app),
	)
	sc := sluice.StepContext{Target: sluice.PlannedTarget{Traffic: []sluice.Traffic{{SMI: []sluice.SMI{{RootServiceName: "web", CanaryServiceName: "web-next"}}}}}}
	web := sluice.Object{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "web", "namespace": "prod"},
		"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{"labels": app}}},
	}
	list, err := divisions(t.Context(), account, sc, nil, []sluice.Object{web})
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

func TestObjectsAreNamedByKind(t *testing.T) {
	for text, want := range map[string]string{
		"StatefulSet/mongo": "apps/v1", "Ingress/web": "networking.k8s.io/v1", "Node/one": "v1", "Endpoints.v1/web": "v1",
		"Certificate.cert-manager.io/web": "cert-manager.io/v1", "Migration.v1alpha1.stork.libopenstorage.org/m": "stork.libopenstorage.org/v1alpha1", "Migration/m": "",
	} {
		ref, err := sluice.ParseRef(text, "prod")
		if err != nil || ref.APIVersion != want {
			t.Errorf("%s is of %q, want %q; %v", text, ref.APIVersion, want, err)
		}
	}
}
