package dataset

import (
	"encoding/json"
	"slices"

	"github.com/sluice-cd/sluice"
)

// MayStop returns the workloads that a step on data stops for a while, as they were before: that of its target if it
// replaces data, and that of the source if only a stopped one can be copied. The snapshot is what its Check recorded.
func MayStop(s sluice.PlannedStep, snapshot json.RawMessage) []sluice.Object {
	var b Before
	if _, ok := s.Dataset(); !ok || json.Unmarshal(snapshot, &b) != nil {
		return nil
	}
	workloads := []sluice.Object{b.Workload}
	if b.Source != nil {
		workloads = append(workloads, b.Source.Workload)
	}
	return slices.DeleteFunc(workloads, func(o sluice.Object) bool {
		return o == nil || o.Number(1, "spec", "replicas") == 0
	})
}
