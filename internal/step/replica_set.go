package step

import (
	"context"
	"strings"

	"github.com/sluice-cd/sluice"
)

// newest returns the name of the replica set that runs the new version: the canary's where one stands, else the
// Deployment's own. With several Deployments it is the first one's.
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
	return replicaSetOf(ctx, a, owner)
}

// replicaSetOf reads the name off the Deployment's pods, which are called replica set, hyphen, something of their
// own. Of several replica sets it is the one with the most ready pods; without pods it is the Deployment's name.
func replicaSetOf(ctx context.Context, a sluice.Account, owner sluice.Ref) (string, error) {
	pods, err := a.Pods(ctx, owner.Namespace)
	if err != nil {
		return "", withOp("list the pods of", owner, err)
	}
	name, most, ready := owner.Name, -1, map[string]int{}
	for _, p := range pods {
		i := strings.LastIndexByte(p.Name, '-')
		if p.Owner != owner.String() || i < 0 {
			continue
		}
		set := p.Name[:i]
		if p.Ready {
			ready[set]++
		}
		if ready[set] > most {
			name, most = set, ready[set]
		}
	}
	return name, nil
}
