package present

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

func TestMissingRightsSayWhatGrantsThem(t *testing.T) {
	right := func(verb, group, resource, namespace, feature string) sluice.MissingRight {
		return sluice.MissingRight{Account: "east", Right: sluice.Right{
			Verb: verb, Group: group, Resource: resource, Namespace: namespace, Feature: feature,
		}}
	}
	var out strings.Builder
	err := MissingRights(&out, []sluice.MissingRight{
		right("get", "apps", "deployments", "shop", "rollout"), right("patch", "apps", "deployments", "shop", "rollout"),
		right("create", "", "pods/exec", "shop", "exec"), right("get", "", "nodes", "", "observe"),
		right("create", "example.com", "things", "shop", ""), right("create", "example.com", "worlds/status", "", ""),
	})
	if err != nil {
		t.Fatal(err)
	}
	const rules = `resources: [%s], verbs: [create]}`
	want := `ACCOUNT  NAMESPACE  RESOURCE                   VERBS       FEATURE
east     shop       deployments.apps           get, patch  rollout
east     shop       pods/exec                  create      exec
east     -          nodes                      get         observe
east     shop       things.example.com         create      -
east     -          worlds.example.com/status  create      -

account east: add to a ClusterRole such as that of deploy/namespaces.yaml: {apiGroups: ["example.com"], ` +
		strings.Replace(rules, "%s", "worlds/status", 1) + `
account east: add to deploy/apply.yaml: {apiGroups: ["example.com"], ` + strings.Replace(rules, "%s", "things", 1) + `
account east: kubectl apply --namespace shop -f deploy/exec.yaml
account east: kubectl apply --namespace shop -f deploy/rollout.yaml
account east: kubectl apply -f deploy/observe.yaml
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}
