package traffic

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/sluice-cd/sluice"
)

// revision is the annotation that a Deployment and its current ReplicaSet share.
const revision = "deployment.kubernetes.io/revision"

// Hash returns the value of [HashLabel] on the pods of the Deployment's current version. It is Unavailable if the
// controller of the Deployment has not taken up the last change.
func Hash(deployment sluice.Object, replicaSets []sluice.Object) (string, error) {
	if deployment.Number(0, "status", "observedGeneration") < deployment.Number(0, "metadata", "generation") {
		return "", sluice.Errorf(sluice.Unavailable, "the controller of %s has not taken up its change yet",
			deployment.Ref())
	}
	uid, want := deployment.Text("metadata", "uid"), deployment.Text("metadata", "annotations", revision)
	for _, rs := range replicaSets {
		hash := rs.Text("metadata", "labels", HashLabel)
		if ownedBy(rs, uid) && want != "" && rs.Text("metadata", "annotations", revision) == want && hash != "" {
			return hash, nil
		}
	}
	return "", sluice.Errorf(sluice.Unavailable, "%s has no ReplicaSet of its current version yet", deployment.Ref())
}

// Controls reports whether the owner is the controller of the object.
func Controls(owner, of sluice.Object) bool { return ownedBy(of, owner.Text("metadata", "uid")) }

func ownedBy(o sluice.Object, uid string) bool {
	return slices.ContainsFunc(o.List("metadata", "ownerReferences"), func(owner sluice.Object) bool {
		return owner["uid"] == uid && owner["controller"] == true
	})
}

// Ready returns the names of the pods to which a Service with the selector sends traffic.
func Ready(pods []sluice.Object, selector map[string]string) []string {
	var names []string
	for _, p := range pods {
		if Selects(selector, p) && ready(p) {
			names = append(names, p.Text("metadata", "name"))
		}
	}
	slices.Sort(names)
	return names
}

// Selects reports whether the object has all the labels.
func Selects(selector map[string]string, o sluice.Object) bool {
	labels := Labels(o.Field("metadata", "labels"))
	for k, v := range selector {
		if has, ok := labels[k]; !ok || has != v {
			return false
		}
	}
	return true
}

func ready(pod sluice.Object) bool {
	if pod.Field("metadata", "deletionTimestamp") != nil {
		return false
	}
	if phase := pod.Text("status", "phase"); phase == "Succeeded" || phase == "Failed" {
		return false
	}
	return condition(pod.List("status", "conditions"), "Ready").Text("status") == "True"
}

// condition returns the condition of the type, nil if there is none.
func condition(list []sluice.Object, kind string) sluice.Object {
	for _, c := range list {
		if c["type"] == kind {
			return c
		}
	}
	return nil
}

// Settled reports whether the Service's endpoints are exactly the named pods, in each address family. Endpoints that
// are not ready do not count.
func Settled(slicesOf []sluice.Object, pods []string) bool {
	families := map[string]map[string]bool{}
	for _, s := range slicesOf {
		family := s.Text("addressType")
		if families[family] == nil {
			families[family] = map[string]bool{}
		}
		for _, e := range s.List("endpoints") {
			if serves(e) {
				families[family][e.Text("targetRef", "name")] = true
			}
		}
	}
	for _, names := range families {
		if !slices.Equal(slices.Sorted(maps.Keys(names)), pods) {
			return false
		}
	}
	return len(families) > 0 || len(pods) == 0
}

// serves follows the API: an absent condition means ready.
func serves(endpoint sluice.Object) bool {
	ready, said := endpoint.Field("conditions", "ready").(bool)
	return ready || !said
}

// TakenUp reports whether every gateway that reports on the route has taken it up as it is now, and if not, why. A
// route without reports is taken up.
func TakenUp(route sluice.Object) (bool, string) {
	generation := route.Number(0, "metadata", "generation")
	for _, p := range route.List("status", "parents") {
		name := p.Text("parentRef", "name")
		for _, kind := range []string{"Accepted", "ResolvedRefs"} {
			c := condition(p.List("conditions"), kind)
			if c == nil {
				continue
			}
			if seen := c.Number(0, "observedGeneration"); seen > 0 && seen < generation {
				return false, fmt.Sprintf("gateway %s has not taken up the change", name)
			}
			if c.Text("status") != "True" {
				why := cmp.Or(c.Text("message"), c.Text("reason"))
				return false, fmt.Sprintf("gateway %s says %s=%s: %s", name, kind, c.Text("status"), why)
			}
		}
	}
	return true, ""
}
