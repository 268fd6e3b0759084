package client

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestResources(t *testing.T) {
	var list resourceList
	text := `{"resources":[{"name":"deployments","kind":"Deployment","namespaced":true},{"name":"deployments/scale",
		"kind":"Scale","namespaced":true},
		{"name":"deployments/status","kind":"Deployment","namespaced":true},{"name":"wides","kind":"Wide"}]}`
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatal(err)
	}
	gv := schema.GroupVersion{Group: "apps", Version: "v1"}
	want := map[string]Resource{
		"Deployment": {gv.WithResource("deployments"), "Deployment", true, []string{"scale", "status"}},
		"Wide":       {gv.WithResource("wides"), "Wide", false, nil},
	}
	if d := cmp.Diff(want, resources(gv, list)); d != "" {
		t.Error(d)
	}
	for r, path := range map[resourceAt]string{
		{"Deployment", "shop"}: "/apis/apps/v1/namespaces/shop/deployments", {"Deployment", ""}: "/apis/apps/v1/deployments",
		{"Wide", "shop"}: "/apis/apps/v1/wides",
	} {
		if got := want[r.kind].Path(r.namespace); got != path {
			t.Errorf("%v is at %s, want %s", r, got, path)
		}
	}
}

type resourceAt struct{ kind, namespace string }
