package step

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/sluice-cd/sluice"
)

// A stamp tells a Deployment's pods which delivery they belong to: an annotation on them and a variable in each of
// their containers. Queries that join on the annotations choose the new version by them.
type stamp struct{ annotation, variable string }

// The stamps, as Armory CD-as-a-Service set them.
var (
	stampApplication = stamp{"deploy.armory.io/application", "ARMORY_APPLICATION_NAME"}
	stampDeployment  = stamp{"deploy.armory.io/deployment-id", "ARMORY_DEPLOYMENT_ID"}
	stampEnvironment = stamp{"deploy.armory.io/environment", "ARMORY_ENVIRONMENT_NAME"}
	stampReplicaSet  = stamp{"deploy.armory.io/replica-set-name", "ARMORY_REPLICA_SET_NAME"}
)

var stamps = []stamp{stampApplication, stampDeployment, stampEnvironment, stampReplicaSet}

// stampsOf returns what a deployment stamps the pods of a Deployment with. The name in the place of a replica set's is
// unique to the version and known before there is a pod; it is the same before and after promotion.
func stampsOf(sc sluice.StepContext, name string) map[stamp]string {
	sum := sha256.Sum256([]byte(sc.Deployment))
	application := ""
	if sc.Plan != nil {
		application = sc.Plan.Application
	}
	return map[stamp]string{
		stampApplication: application, stampDeployment: string(sc.Deployment), stampEnvironment: sc.Target.Name,
		stampReplicaSet: name + "-" + hex.EncodeToString(sum[:5]),
	}
}

// stampedWith returns what the Deployment's pods are stamped with now; nothing where they are not.
func stampedWith(o sluice.Object) map[stamp]string {
	values := map[stamp]string{}
	for _, s := range stamps {
		if v := o.Text("spec", "template", "metadata", "annotations", s.annotation); v != "" {
			values[s] = v
		}
	}
	return values
}

// mark stamps the Deployment's pods. A variable that a container declares itself stays.
func mark(o sluice.Object, values map[stamp]string) {
	containers, _ := o.Field("spec", "template", "spec", "containers").([]any)
	for _, s := range stamps {
		v, ok := values[s]
		if !ok {
			continue
		}
		o.Set(v, "spec", "template", "metadata", "annotations", s.annotation)
		for _, c := range containers {
			setVariable(c, s.variable, v)
		}
	}
}

func setVariable(container any, name, value string) {
	c, ok := container.(map[string]any)
	if !ok {
		return
	}
	env, _ := c["env"].([]any)
	if slices.ContainsFunc(env, func(e any) bool { return asObject(e)["name"] == name }) {
		return
	}
	c["env"] = append(slices.Clone(env), map[string]any{"name": name, "value": value})
}

// markAll stamps the Deployments.
func markAll(objects []sluice.Object, sc sluice.StepContext) {
	for _, o := range ofKind(objects, "Deployment") {
		mark(o, stampsOf(sc, o.Text("metadata", "name")))
	}
}
