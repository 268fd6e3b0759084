package kubernetes

import (
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/sluice-cd/sluice"
)

// Scale writes under one of two names. counted says that the count was somebody else's before, so that it stays like
// theirs; scaled, that it was Sluice's own, which the next Apply may change again.
const (
	scaled  = manager + "-scale"
	counted = manager + "-scale-kept"
)

var replicasPath = fieldpath.MakePathOrDie("spec", "replicas")

// withoutScaled leaves the count of replicas out of what is applied where somebody set another one through the
// scale subresource: a hand-scaled or autoscaled workload stays as it is.
func withoutScaled(want, live sluice.Object) sluice.Object {
	count := want.Field("spec", "replicas")
	if count == nil || isEqual(count, live.Field("spec", "replicas")) || !isScaledByOthers(live) {
		return want
	}
	want = want.Clone()
	delete(want["spec"].(map[string]any), "replicas")
	return want
}

// isScaledByOthers reports whether somebody other than Sluice decides how many replicas there are.
func isScaledByOthers(o sluice.Object) bool {
	for _, e := range managedFields(o) {
		if e.Text("subresource") != "scale" || e.Text("manager") == scaled {
			continue
		}
		if s := fieldSet(e); s != nil && s.Has(replicasPath) {
			return true
		}
	}
	return false
}
