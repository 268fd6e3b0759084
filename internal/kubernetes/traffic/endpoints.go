package traffic

import (
	"maps"
	"slices"

	"github.com/sluice-cd/sluice"
)

// revision is the annotation by which a Deployment and its current replica set know each other.
const revision = "deployment.kubernetes.io/revision"

// Hash returns the value of [HashLabel] on the pods of the Deployment's current version. A Deployment whose
// controller has not taken up its last change is Unavailable.
func Hash(deployment sluice.Object, replicaSets []sluice.Object) (string, error) {
	if deployment.Number(0, "status", "observedGeneration") < deployment.Number(0, "metadata", "generation") {
		return "", sluice.Errorf(sluice.Unavailable, "%s has changed, and its controller has not taken that up yet", deployment.Ref())
	}
	want := deployment.Text("metadata", "annotations", revision)
	for _, rs := range replicaSets {
		if ownedBy(rs, deployment.Text("metadata", "uid")) && want != "" && rs.Text("metadata", "annotations", revision) == want {
			if hash := rs.Text("metadata", "labels", HashLabel); hash != "" {
				return hash, nil
			}
		}
	}
	return "", sluice.Errorf(sluice.Unavailable, "%s has no replica set of its current version yet", deployment.Ref())
}

func ownedBy(o sluice.Object, uid string) bool {
	owners, _ := o.Field("metadata", "ownerReferences").([]any)
	for _, owner := range owners {
		if m, ok := owner.(map[string]any); ok && m["uid"] == uid && m["controller"] == true {
			return true
		}
	}
	return false
}

// Ready returns the names of those pods that a Service with the selector sends traffic to.
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
	return Condition(pod.Field("status", "conditions"), "Ready").Text("status") == "True"
}

// Condition returns the condition of the type from a list of them, nil if there is none.
func Condition(list any, kind string) sluice.Object {
	all, _ := list.([]any)
	for _, c := range all {
		if m, ok := c.(map[string]any); ok && m["type"] == kind {
			return m
		}
	}
	return nil
}

// Settled reports whether the Service's endpoints are exactly the pods of the names, in each family of addresses.
// What a Service publishes although it is not ready counts for nothing.
func Settled(slicesOf []sluice.Object, pods []string) bool {
	families := map[string]map[string]bool{}
	for _, s := range slicesOf {
		family := s.Text("addressType")
		if families[family] == nil {
			families[family] = map[string]bool{}
		}
		endpoints, _ := s.Field("endpoints").([]any)
		for _, e := range endpoints {
			if m, ok := e.(map[string]any); ok && serves(m) {
				families[family][sluice.Object(m).Text("targetRef", "name")] = true
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

// serves follows the format: an absent condition means ready.
func serves(endpoint sluice.Object) bool {
	ready, said := endpoint.Field("conditions", "ready").(bool)
	return ready || !said
}
