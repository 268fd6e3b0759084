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
	beside, err := canaries(ctx, a, deployments)
	if err != nil {
		return "", err
	}
	owner := deployments[0].Ref()
	if len(beside) > 0 {
		owner = canaryRef(beside[0].Ref())
	}
	now, err := get(ctx, a, owner)
	if err != nil {
		return "", err
	}
	return orDefault(stampedWith(now)[stampReplicaSet], owner.Name), nil
}
