package step_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
)

// A quota that leaves no room for the canary's pods beside the stable ones is a warning of the plan, with figures.
func TestQuotaWithoutRoomForThePeak(t *testing.T) {
	quota := func(hard, used map[string]any) sluice.Object {
		return object("v1", "ResourceQuota", "q", map[string]any{
			"spec": map[string]any{"hard": hard}, "status": map[string]any{"hard": hard, "used": used},
		})
	}
	web := func(image string) sluice.Object {
		o := workload("Deployment", "web", image)
		o.Set(int64(4), "spec", "replicas")
		o.List("spec", "template", "spec", "containers")[0]["resources"] = map[string]any{
			"requests": map[string]any{"cpu": "250m", "memory": "1Gi"}}
		return o
	}
	for name, tt := range map[string]struct {
		quota  sluice.Object
		canary bool
		want   []string
	}{
		"too few pods": {quota(map[string]any{"pods": "6"}, map[string]any{"pods": "4"}), true,
			[]string{"warning: at its peak the release needs 4 more pods, and ResourceQuota/q leaves 2"}},
		"too little memory": {quota(map[string]any{"requests.cpu": "2", "memory": "6Gi"}, map[string]any{"requests.cpu": "1",
			"memory": "4Gi"}), true,
			[]string{"warning: at its peak the release needs 4Gi more memory, and ResourceQuota/q leaves 2Gi"}},
		"just enough": {quota(map[string]any{"pods": "8"}, map[string]any{"pods": "4"}), true, nil},
		"at once, one more than there are": {quota(map[string]any{"pods": "4"}, map[string]any{"pods": "4"}), false,
			[]string{"warning: at its peak the release needs 1 more pods, and ResourceQuota/q leaves 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(web("web:1"), tt.quota)
			next := web("web:2")
			next.Set(map[string]any{"type": "RollingUpdate", "rollingUpdate": map[string]any{"maxSurge": "25%"}},
				"spec", "strategy")
			b.add("apply", applying(tt.canary, next)).add("canary/0", weight(50)).add("promote", promoting())
			preview, err := b.must(t, "apply").Check(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got := slices.DeleteFunc(preview.Notes, func(n string) bool { return !strings.HasPrefix(n, "warning: ") })
			if !slices.Equal(got, tt.want) {
				t.Errorf("warnings %q, want %q", got, tt.want)
			}
		})
	}
}
