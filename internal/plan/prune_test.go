package plan_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/deployfile"
	"github.com/sluice-cd/sluice/internal/plan"
)

// What moved to another target of the same account is not deleted there, also if the other one is left out this time.
func TestPruneKeepsWhatAnotherTargetHas(t *testing.T) {
	spec, found := deployfile.Parse("deploy.yaml", []byte(`
version: v1
kind: kubernetes
application: shop
targets:
  web: {account: one, namespace: shop, strategy: s, prune: true}
  worker: {account: one, namespace: shop, strategy: s}
manifests:
  - {targets: [web], inline: "{apiVersion: v1, kind: ConfigMap, metadata: {name: web}}"}
  - {targets: [worker], inline: "{apiVersion: v1, kind: ConfigMap, metadata: {name: worker}}"}
strategies:
  s: {canary: {steps: [{setWeight: {weight: 100}}]}}
`))
	if found.HasErrors() {
		t.Fatal(found)
	}
	ref := func(name string) sluice.Ref {
		return sluice.Ref{APIVersion: "v1", Kind: "ConfigMap", Namespace: "shop", Name: name}
	}
	p, found := plan.Compile(spec, plan.Options{Root: ".", Targets: []string{"web"}, Applied: func(string) []sluice.Ref {
		return []sluice.Ref{ref("web"), ref("worker"), ref("gone")}
	}})
	if found.HasErrors() {
		t.Fatal(found)
	}
	for _, s := range p.Steps {
		if s.Prune == nil {
			continue
		}
		if diff := cmp.Diff([]sluice.Ref{ref("gone")}, s.Prune.Objects); diff != "" {
			t.Error(diff)
		}
		return
	}
	t.Error("nothing is pruned")
}
