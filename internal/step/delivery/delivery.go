// Package delivery tells which objects and pods belong to a deployment, by the labels and annotations that Sluice
// writes: the objects that exist only while it runs, its canaries, and the version on its pods.
package delivery

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/deps"
	"github.com/sluice-cd/sluice/internal/step/object"
	"github.com/sluice-cd/sluice/internal/step/sibling"
)

// MadeBy is the annotation that names the deployment that made an object for itself: a canary or a version of
// configuration. A set that the deployment holds back has it too.
const MadeBy = "sluice-cd.github.io/deployment"

// The annotations that say who began the deployment of a canary, and when, for other people and other state
// directories.
const (
	BegunBy = "sluice-cd.github.io/deployment-begun-by"
	BegunAt = "sluice-cd.github.io/deployment-begun-at"
)

// Mark says on the object which deployment it belongs to.
func Mark(o sluice.Object, sc sluice.StepContext) {
	o.Set(string(sc.Deployment), "metadata", "annotations", MadeBy)
	if sc.StartedBy.Name != "" {
		o.Set(sc.StartedBy.Name, "metadata", "annotations", BegunBy)
	}
	o.Set(sc.StartedAt.UTC().Format(time.RFC3339), "metadata", "annotations", BegunAt)
}

// CheckOwner returns a Conflict if the object belongs to a deployment that this state directory does not know and that
// the plan does not replace: it may run.
func CheckOwner(ctx context.Context, d deps.Deps, sc sluice.StepContext, o sluice.Object) error {
	id := sluice.DeploymentID(o.Text("metadata", "annotations", MadeBy))
	if id == "" || id == sc.Deployment || d.Knows == nil || sc.Plan != nil && sc.Plan.Replace == id {
		return nil
	}
	known, err := d.Knows(ctx, id)
	if err != nil || known {
		return err
	}
	begun := ""
	if by := o.Text("metadata", "annotations", BegunBy); by != "" {
		begun = ", which " + by + " began at " + o.Text("metadata", "annotations", BegunAt)
	}
	return sluice.Errorf(sluice.Conflict, "%s belongs to the deployment %s of another state directory%s; it may still run",
		o.Ref(), id, begun).
		WithHint("wait until it has ended; if nobody continues it, take its place: sluice run --replace %s", id)
}

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

// A Version is what the pods of a Deployment are stamped with: the value of each stamp and of sluice.ReleaseLabel, ""
// if there is none.
type Version struct {
	release string
	stamps  [len(stamps)]string
}

const (
	deploymentID = 1
	replicaSet   = len(stamps) - 1
)

// Release returns the value of sluice.ReleaseLabel on the pods that the deployment brings.
func Release(id sluice.DeploymentID) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:5])
}

// ReplicaSetOf returns the name of the replica set with the pods of a canary of the Deployment. It is known before
// there is a pod, and the same before and after promotion.
func ReplicaSetOf(id sluice.DeploymentID, deployment string) string {
	return deployment + "-" + Release(id)
}

// VersionOf returns the version that this deployment gives the Deployment of that name.
func VersionOf(sc sluice.StepContext, name string) Version {
	application := ""
	if sc.Plan != nil {
		application = sc.Plan.Application
	}
	return Version{Release(sc.Deployment), [...]string{
		application, string(sc.Deployment), sc.Target.Name, ReplicaSetOf(sc.Deployment, name),
	}}
}

// StampedWith returns the version that the Deployment's pods are stamped with now.
func StampedWith(o sluice.Object) Version {
	v := Version{release: o.Text("spec", "template", "metadata", "labels", sluice.ReleaseLabel)}
	for i, s := range stamps {
		v.stamps[i] = o.Text("spec", "template", "metadata", "annotations", s.annotation)
	}
	return v
}

// IsOfEarlierVersion reports whether an earlier version of Sluice, which did not label the pods with their release,
// brought the pods of the Deployment for this deployment.
func IsOfEarlierVersion(o sluice.Object, id sluice.DeploymentID) bool {
	v := StampedWith(o)
	return v.release == "" && v.stamps[deploymentID] == string(id)
}

// Stamp stamps the Deployment's pods. A variable that a container declares itself stays.
func Stamp(o sluice.Object, v Version) {
	if v.release != "" {
		o.Set(v.release, "spec", "template", "metadata", "labels", sluice.ReleaseLabel)
	}
	containers := o.List("spec", "template", "spec", "containers")
	for i, s := range stamps {
		if v.stamps[i] == "" {
			continue
		}
		o.Set(v.stamps[i], "spec", "template", "metadata", "annotations", s.annotation)
		for _, c := range containers {
			setVariable(c, s.variable, v.stamps[i])
		}
	}
}

// Restamp replaces, in what became of the declared Deployment when it was stamped, the stamps by those of another
// version. Where that has none, there are none.
func Restamp(o, declared sluice.Object, v Version) {
	meta, _ := o.Field("spec", "template", "metadata").(map[string]any)
	replace(meta, "labels", sluice.ReleaseLabel, v.release)
	for i, s := range stamps {
		replace(meta, "annotations", s.annotation, v.stamps[i])
	}
	for _, c := range o.List("spec", "template", "spec", "containers") {
		for _, d := range declared.List("spec", "template", "spec", "containers") {
			if c["name"] == d["name"] {
				restampVariables(c, d, v)
			}
		}
	}
}

// replace gives the key of the map a value, or removes it if that is "".
func replace(in map[string]any, field, key, value string) {
	m, ok := in[field].(map[string]any)
	switch {
	case !ok:
	case value != "":
		m[key] = value
	default:
		delete(m, key)
		if len(m) == 0 {
			delete(in, field)
		}
	}
}

func restampVariables(container, declared sluice.Object, v Version) {
	env, _ := container["env"].([]any)
	env = slices.Clone(env)
	for i, s := range stamps {
		isStamp := func(e any) bool { m, _ := e.(map[string]any); return m["name"] == s.variable }
		at := slices.IndexFunc(env, isStamp)
		switch {
		case at < 0 || declares(declared, s.variable):
		case v.stamps[i] == "":
			env = slices.Delete(env, at, at+1)
		default:
			env[at] = map[string]any{"name": s.variable, "value": v.stamps[i]}
		}
	}
	if container["env"] = env; len(env) == 0 {
		delete(container, "env")
	}
}

// declares reports whether the container has the variable.
func declares(container sluice.Object, name string) bool {
	return slices.ContainsFunc(container.List("env"), func(e sluice.Object) bool { return e["name"] == name })
}

func setVariable(container sluice.Object, name, value string) {
	if declares(container, name) {
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
	return cmp.Or(StampedWith(deployment).stamps[replicaSet], deployment.Text("metadata", "name"))
}
