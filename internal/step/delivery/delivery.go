// Package delivery tells which objects and pods belong to a deployment, by the labels and annotations that Sluice
// writes: the objects that exist only while it runs, its canaries, and the version on its pods.
package delivery

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/deps"
	"github.com/sluice-cd/sluice/internal/step/object"
	"github.com/sluice-cd/sluice/internal/step/sibling"
)

// MadeBy is the annotation that names the deployment of an object that exists only while the deployment runs.
const MadeBy = "sluice-cd.github.io/deployment"

// Delete deletes an object that exists only while the deployment runs, if it belongs to the deployment.
func Delete(ctx context.Context, a sluice.Account, ref sluice.Ref, id sluice.DeploymentID) error {
	o, err := object.Get(ctx, a, ref)
	if err != nil || o == nil || o.Text("metadata", "annotations", MadeBy) != string(id) {
		return err
	}
	return object.Delete(ctx, a, ref)
}

// CanaryOf returns the name of the Deployment's canary.
func CanaryOf(stable sluice.Ref) sluice.Ref {
	stable.Name += "-" + sluice.TrackCanary
	return stable
}

// A Canary is the Deployment that runs the new version beside the stable one.
type Canary struct {
	Of     sluice.Object // the stable Deployment, as it is declared
	Object sluice.Object // the canary, as it is now
}

// Canaries returns the canaries of the Deployments among the objects: ours belong to the deployment, others were left
// by earlier ones.
func Canaries(
	ctx context.Context, a sluice.Account, objects []sluice.Object, id sluice.DeploymentID,
) (ours, others []Canary, err error) {
	for _, d := range object.OfKind(objects, "Deployment") {
		canary, err := object.Get(ctx, a, CanaryOf(d.Ref()))
		if err != nil {
			return nil, nil, err
		}
		switch canary.Text("metadata", "annotations", MadeBy) {
		case "":
		case string(id):
			ours = append(ours, Canary{d, canary})
		default:
			others = append(others, Canary{d, canary})
		}
	}
	return ours, others, nil
}

// A stamp tells a Deployment's pods which delivery they belong to: an annotation on them and a variable in each of
// their containers. Queries that join on the annotations choose the new version by them.
type stamp struct{ annotation, variable string }

// stamps are those of Armory CD-as-a-Service.
var stamps = [...]stamp{
	{"deploy.armory.io/application", "ARMORY_APPLICATION_NAME"},
	{"deploy.armory.io/deployment-id", "ARMORY_DEPLOYMENT_ID"},
	{"deploy.armory.io/environment", "ARMORY_ENVIRONMENT_NAME"},
	{"deploy.armory.io/replica-set-name", "ARMORY_REPLICA_SET_NAME"},
}

// A Version is what the pods of a Deployment are stamped with: the value of each stamp, "" if there is none.
type Version [len(stamps)]string

const replicaSet = len(stamps) - 1

// VersionOf returns the version that this deployment gives the Deployment of that name. The value for the name of the
// replica set is unique to the version and known before there is a pod; it is the same before and after promotion.
func VersionOf(sc sluice.StepContext, name string) Version {
	sum := sha256.Sum256([]byte(sc.Deployment))
	application := ""
	if sc.Plan != nil {
		application = sc.Plan.Application
	}
	return Version{application, string(sc.Deployment), sc.Target.Name, name + "-" + hex.EncodeToString(sum[:5])}
}

// StampedWith returns the version that the Deployment's pods are stamped with now.
func StampedWith(o sluice.Object) Version {
	var v Version
	for i, s := range stamps {
		v[i] = o.Text("spec", "template", "metadata", "annotations", s.annotation)
	}
	return v
}

// Stamp stamps the Deployment's pods. A variable that a container declares itself stays.
func Stamp(o sluice.Object, v Version) {
	containers := o.List("spec", "template", "spec", "containers")
	for i, s := range stamps {
		if v[i] == "" {
			continue
		}
		o.Set(v[i], "spec", "template", "metadata", "annotations", s.annotation)
		for _, c := range containers {
			setVariable(c, s.variable, v[i])
		}
	}
}

func setVariable(container sluice.Object, name, value string) {
	if slices.ContainsFunc(container.List("env"), func(e sluice.Object) bool { return e["name"] == name }) {
		return
	}
	env, _ := container["env"].([]any)
	container["env"] = append(slices.Clone(env), map[string]any{"name": name, "value": value})
}

// ReplicaSet returns the value for the name of the replica set on the pods of the new version: of the canary if there
// is one, else of the Deployment itself. If the target has several Deployments it is the first one's. If pods were
// never stamped it is the Deployment's name. It is "" if the target has no Deployment.
func ReplicaSet(ctx context.Context, d deps.Deps, sc sluice.StepContext) (string, error) {
	a, err := d.TargetAccount(sc)
	if err != nil {
		return "", err
	}
	deployments := object.OfKind(sibling.Apply(sc).Objects, "Deployment")
	if len(deployments) == 0 {
		return "", nil
	}
	standing, _, err := Canaries(ctx, a, deployments, sc.Deployment)
	if err != nil {
		return "", err
	}
	if len(standing) > 0 {
		return replicaSetOf(standing[0].Object), nil
	}
	now, err := object.Get(ctx, a, deployments[0].Ref())
	if err != nil || now == nil {
		return deployments[0].Text("metadata", "name"), err
	}
	return replicaSetOf(now), nil
}

func replicaSetOf(deployment sluice.Object) string {
	return cmp.Or(StampedWith(deployment)[replicaSet], deployment.Text("metadata", "name"))
}
