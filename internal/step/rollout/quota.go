package rollout

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/object"
)

// A demand is what a release needs at its peak beside what runs already, by the names that quotas give it.
type demand map[string]resource.Quantity

// quotaNames are the names under which a quota limits the same thing.
var quotaNames = map[string][]string{
	"pods": {"pods", "count/pods"}, "requests.cpu": {"requests.cpu", "cpu"},
	"requests.memory": {"requests.memory", "memory"}, "limits.cpu": {"limits.cpu"}, "limits.memory": {"limits.memory"},
}

// overQuota warns of each quota that does not leave room for the peak of the release: canary pods beside the stable
// ones, those that a rolling update adds, and Jobs. Without the right to read quotas it warns of nothing.
func (s *apply) overQuota(ctx context.Context, findings []finding) ([]string, error) {
	peaks := map[string]demand{}
	for _, f := range findings {
		pods := addedPods(f)
		if pods == 0 {
			continue
		}
		namespace := f.declared.Ref().Namespace
		if peaks[namespace] == nil {
			peaks[namespace] = demand{}
		}
		peaks[namespace].add(f.will, pods)
	}
	var warnings []string
	for _, namespace := range slices.Sorted(maps.Keys(peaks)) {
		quotas, err := s.account.List(ctx, "v1", "ResourceQuota", namespace)
		if sluice.ErrorCode(err) == sluice.Denied {
			return nil, nil
		}
		if err != nil {
			return nil, object.WithOp("list the quotas of", sluice.Ref{Kind: "Namespace", Name: namespace}, err)
		}
		for _, q := range quotas {
			warnings = append(warnings, peaks[namespace].over(q)...)
		}
	}
	return warnings, nil
}

// addedPods returns how many more pods than now the workload has at the peak of the release.
func addedPods(f finding) int {
	if f.outcome == sluice.Unchanged {
		return 0
	}
	want := f.will.Number(1, "spec", "replicas")
	more := want
	if f.was != nil {
		more = max(0, want-f.was.Number(1, "spec", "replicas"))
	}
	switch f.declared.Text("kind") {
	case "StatefulSet":
		return more
	case "Job":
		return f.will.Number(1, "spec", "parallelism")
	case "Deployment":
		return more + beside(f, want)
	}
	return 0
}

// beside returns how many new pods of a Deployment run beside its old ones.
func beside(f finding, want int) int {
	switch {
	case f.was == nil || f.keepsPods || f.will.Text("spec", "strategy", "type") == "Recreate":
		return 0
	case f.gradual:
		return f.was.Number(1, "spec", "replicas")
	}
	surge, _ := f.will.Field("spec", "strategy", "rollingUpdate", "maxSurge").(string)
	percent, err := strconv.Atoi(strings.TrimSuffix(surge, "%"))
	if err != nil {
		return f.will.Number(0, "spec", "strategy", "rollingUpdate", "maxSurge")
	}
	return (want*percent + 99) / 100
}

// add adds so many pods of the workload.
func (d demand) add(workload sluice.Object, pods int) {
	d.put("pods", *resource.NewQuantity(int64(pods), resource.DecimalSI))
	for _, c := range workload.List("spec", "template", "spec", "containers") {
		for _, name := range []string{"requests.cpu", "requests.memory", "limits.cpu", "limits.memory"} {
			kind, of, _ := strings.Cut(name, ".")
			if each, err := resource.ParseQuantity(fmt.Sprint(c.Field("resources", kind, of))); err == nil {
				each.Mul(int64(pods))
				d.put(name, each)
			}
		}
	}
}

func (d demand) put(name string, more resource.Quantity) {
	sum := d[name]
	sum.Add(more)
	d[name] = sum
}

// over returns a warning for each limit of the quota that the demand exceeds. A quota for some pods alone is left out.
func (d demand) over(quota sluice.Object) []string {
	if quota.Field("spec", "scopes") != nil || quota.Field("spec", "scopeSelector") != nil {
		return nil
	}
	var warnings []string
	for _, what := range slices.Sorted(maps.Keys(d)) {
		for _, name := range quotaNames[what] {
			room, err := resource.ParseQuantity(quota.Text("status", "hard", name))
			if err != nil {
				continue
			}
			if used, err := resource.ParseQuantity(quota.Text("status", "used", name)); err == nil {
				room.Sub(used)
			}
			if need := d[what]; need.Cmp(room) > 0 {
				warnings = append(warnings, fmt.Sprintf("warning: at its peak the release needs %s more %s, and %s leaves %s",
					need.String(), name, quota.Ref(), room.String()))
			}
		}
	}
	return warnings
}
