package kubernetes

import (
	"slices"

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

// isScaledByOthers reports whether somebody other than Sluice decides how many replicas there are. The API server
// forgets who scales to none through the scale subresource, and that alone makes a count that is nobody's.
func isScaledByOthers(o sluice.Object) bool {
	isOwned := false
	for _, e := range managedFields(o) {
		if s := fieldSet(e); s == nil || !s.Has(replicasPath) {
			continue
		}
		isOwned = true
		if e.Text("manager") == counted || e.Text("subresource") == "scale" && e.Text("manager") != scaled {
			return true
		}
	}
	return !isOwned && isApplied(o) && o.Number(-1, "spec", "replicas") == 0
}

// isScaledByUs reports whether the count is what Scale made of Sluice's own.
func isScaledByUs(o sluice.Object) bool {
	return slices.ContainsFunc(managedFields(o), func(e sluice.Object) bool {
		s := fieldSet(e)
		return e.Text("manager") == scaled && s != nil && s.Has(replicasPath)
	})
}
