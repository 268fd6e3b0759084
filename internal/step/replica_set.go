package step

import (
	"context"

	"github.com/sluice-cd/sluice"
)

// newest returns what stands in the place of the replica set's name on the pods of the new version: of the canary where
// one stands, else of the Deployment itself. With several Deployments it is the first one's. Pods that were never
// stamped have none, so there it is the Deployment's name.
func newest(ctx context.Context, d Deps, sc sluice.StepContext) (string, error) {
	a, err := d.account(sc.Target.Account, sc.Step.Pos)
	if err != nil {
		return "", err
	}
	spec, _ := applySpec(sc)
	deployments := ofKind(spec.Objects, "Deployment")
	if len(deployments) == 0 {
		return "", sluice.Errorf(sluice.Invalid, "{{%s}} has no value: target %q has no Deployment", replicaSet, sc.Target.Name).At(sc.Step.Pos)
	}
	standing, err := canaries(ctx, a, sc.Deployment, deployments)
	if err != nil {
		return "", err
	}
	if len(standing) > 0 {
		return replicaSetOf(standing[0].canary), nil
	}
	now, err := get(ctx, a, deployments[0].Ref())
	if err != nil || now == nil {
		return deployments[0].Text("metadata", "name"), err
	}
	return replicaSetOf(now), nil
}

func replicaSetOf(deployment sluice.Object) string {
	return orDefault(stampedWith(deployment)[stampReplicaSet], deployment.Text("metadata", "name"))
}
