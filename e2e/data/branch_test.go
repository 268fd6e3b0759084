package data

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/e2e/world"
)

// kept fills a database with orders and takes a checkpoint of it.
const kept = `
version: v1
kind: kubernetes
application: kept
deploymentConfig:
  timeout: {duration: 2, unit: minutes}
datasets:
  orders:
    engine: mongodb
    workload: StatefulSet/mongo
    claims: [mongo-data]
    database: {uri: "mongodb://mongo:27017/shop"}
targets:
  production:
    account: cluster01
    namespace: {{.Namespace}}
    strategy: rolling
    constraints:
      afterDeployment:
        - sequence:
            - runJob: {name: indexes, path: manifests/migrate-1.0.yaml, timeout: 2m}
            - runJob: {name: first orders, path: manifests/seed-1.0.yaml, timeout: 2m}
            - checkpointData: {dataset: orders, ttl: 24h}
manifests: [{path: manifests/mongo-1.23.yaml}]
strategies:
  rolling: {canary: {steps: [{setWeight: {weight: 100}}]}}
`

// TestBranch makes a branch of a checkpoint, although sluice is killed, and reads it. When its time is over the cluster
// deletes it, while no sluice runs.
func TestBranch(t *testing.T) {
	t.Parallel()
	h := &shop{World: world.New(t), storage: storage{class: "csi"}}
	h.staging = h.World
	defer h.forget()
	h.write()
	h.Write("kept.yaml", kept)
	r := h.deliver("kept")
	there := *h.World
	there.Namespace = h.Namespace + "-anna"
	branch := []string{"data", "branch", string(r.Deployment()), "--to", "cluster01/" + there.Namespace, "--name", "anna",
		"--expires", "1h"}

	p := h.Start(branch...)
	there.Await("a claim of the branch", func() bool { return len(there.List("PersistentVolumeClaim", "")) > 0 })
	p.Kill()
	h.mustSluice(branch...)
	want, got := h.orders(h.World), h.orders(&there)
	if len(got) != seeded || want.Kept(got) != len(want) {
		t.Errorf("of %d orders the branch has %d, %d of them unchanged", len(want), len(got), want.Kept(got))
	}
	volume := there.Get("PersistentVolumeClaim", "mongo-data").Text("spec", "volumeName")

	h.mustSluice("data", "extend", "anna", "--by", "1s")
	walls := []string{"NetworkPolicy/sluice-isolation", "NetworkPolicy/sluice-passage", "ResourceQuota/sluice-limits",
		"ServiceAccount/default"}
	there.Await("the end of the branch", func() bool {
		return slices.Equal(walls, slices.Sorted(maps.Keys(there.Snapshot()))) && !there.There("PersistentVolume", volume)
	})
	var reaped struct {
		Checkpoints []sluice.CheckpointID
		Branches    []sluice.Branch
	}
	if err := json.Unmarshal([]byte(h.mustSluice("data", "reap", "-o", "json")), &reaped); err != nil {
		t.Fatal(err)
	}
	if len(reaped.Branches) != 1 || len(reaped.Checkpoints) != 0 || there.There("Namespace", there.Namespace) {
		t.Errorf("reaped are %v", reaped)
	}
	if diff := cmp.Diff(want, h.orders(h.World)); diff != "" {
		t.Errorf("production has changed:\n%s", diff)
	}
}

// mustSluice runs a command, which must succeed.
func (h *shop) mustSluice(args ...string) string {
	h.Helper()
	out, status := h.Sluice(args...)
	if status != 0 {
		h.Fatalf("sluice %v ended with status %d:\n%s", args, status, out)
	}
	return out
}
