package data

import (
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// rights are the files of deploy/ that steps on data need beside those of every deployment.
var rights = []string{"observe", "logs", "apply", "rollout", "traffic", "port-forward",
	"beside", "scratch", "data", "data-volumes", "data-snapshots"}

// TestRightsForData takes a checkpoint, verifies it and restores it with a ServiceAccount that has nothing but the
// rights in deploy/, within the storage and through the repository.
func TestRightsForData(t *testing.T) {
	t.Parallel()
	for _, mover := range []string{"csi", "kopia"} {
		t.Run(mover, func(t *testing.T) {
			if mover == "kopia" && !long {
				t.Skip("E2E_LONG is not set; the storage needs all of the rights that the repository needs, and more")
			}
			h := &shop{World: world.New(t), storage: storage{class: "csi", mover: mover}}
			h.staging = h.World
			defer h.forget()
			h.write()
			h.Write("kept.yaml", h.adapt(strings.Replace(kept, "- checkpointData: {dataset: orders, ttl: 24h}",
				`- checkpointData: {dataset: orders}
            - verifyData: {dataset: orders, baseline: checkpoint}
            - restoreData: {dataset: orders, allowDataLoss: {writes: 1000, seconds: 600}}`, 1)))
			h.robot(rights)
			h.deliver("kept")
			if found := len(h.orders(h.World)); found != seeded {
				t.Errorf("there are %d orders, not %d", found, seeded)
			}
		})
	}
}

// TestMissingRightsForData finds each missing file before anything changes.
func TestMissingRightsForData(t *testing.T) {
	t.Parallel()
	h := &shop{World: world.New(t), storage: storage{class: "csi"}}
	h.staging = h.World
	h.write()
	h.Write("kept.yaml", h.adapt(kept))
	granted, missing := rights[:7], rights[7:]
	h.robot(granted)
	before := h.Snapshot()
	const denied = 6
	for _, command := range []string{"plan", "doctor", "run"} {
		out, status := h.Sluice(command, "-f", "kept.yaml")
		if status != denied {
			t.Errorf("sluice %s ended with status %d, want %d:\n%s", command, status, denied, out)
		}
		for _, file := range missing {
			if !strings.Contains(out, "deploy/"+file+".yaml") {
				t.Errorf("sluice %s does not name the file %s:\n%s", command, file, out)
			}
		}
	}
	h.Unchanged(before)
}

// robot has Sluice use the first cluster as a ServiceAccount of the namespace with the rights of files in deploy/.
func (h *shop) robot(files []string) {
	h.Helper()
	h.Grant(files...)
	h.Login("sluice")
	h.Write("sluice.yaml", "accounts: {cluster01: {type: kubernetes, kubeconfig: robot, job: {image: \""+
		world.Sluice().Name+"\"}}}\n")
}
