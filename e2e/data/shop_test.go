package data

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/e2e/world"
)

// A storage is how the claims of the shop are kept, and what the deploy files need for that.
type storage struct {
	class   string // of production's claims and, without another one, of staging's
	quiesce string // a line of the dataset; "" for none
	mover   string // of the dataset; "" for auto
	within  bool   // staging is in the cluster of production
}

// A shop is the shop in two clusters. Sluice runs in the directory of production.
type shop struct {
	*world.World              // production
	staging      *world.World // only for its namespace and objects
	storage      storage
}

// newShop writes the deploy files for the two clusters and delivers the first release with its orders.
func newShop(t *testing.T, s storage) *shop {
	t.Helper()
	pair := world.Pair()
	pair.Separate(t)
	h := &shop{World: world.In(t, pair.Cluster01), staging: world.In(t, pair.Cluster02), storage: s}
	if s.within {
		h.staging = world.In(t, pair.Cluster01)
	}
	h.Monitor()
	h.write()
	h.deliver("release-1.0")
	if found := len(h.orders(h.World)); found != seeded {
		t.Fatalf("production has %d orders, not %d", found, seeded)
	}
	return h
}

// seeded is the number of orders of the first release.
const seeded = 20_000

// write copies examples/deploy with other accounts, namespaces and classes.
func (h *shop) write() {
	h.Helper()
	root := examples("deploy")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Base(path) == "sluice.yaml" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		short, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		to := filepath.Join(h.Dir, short)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.WriteFile(to, []byte(h.adapt(string(text))), 0o600)
	})
	if err != nil {
		h.Fatal(err)
	}
}

func (h *shop) adapt(text string) string {
	quiesce, mover := "    claims: [mongo-data]\n", ""
	if h.storage.mover != "" {
		mover = "    mover: " + h.storage.mover + "\n"
	}
	return strings.NewReplacer(
		"account: local\n    namespace: staging", "account: "+h.staging.Cluster.Name+"\n    namespace: "+h.staging.Namespace,
		"account: local\n    namespace: production", "account: cluster01\n    namespace: "+h.Namespace,
		quiesce, quiesce+h.storage.quiesce+mover,
		"accessModes: [ReadWriteOnce]", "accessModes: [ReadWriteOnce]\n  storageClassName: "+h.storage.class,
	).Replace(text)
}

// deliver runs a deploy file, which must succeed.
func (h *shop) deliver(name string) world.Result {
	h.Helper()
	return h.Ends(sluice.StatusSucceeded, h.start(name))
}

func (h *shop) start(name string) *world.Process {
	h.Helper()
	return h.Start("run", "-f", name+".yaml", "--yes")
}

// checkpoints returns those that sluice lists.
func (h *shop) checkpoints() (list []sluice.Checkpoint) {
	h.Helper()
	out, status := h.Sluice("data", "list", "-o", "json")
	if err := json.Unmarshal([]byte(out), &list); err != nil || status != 0 {
		h.Fatalf("sluice data list ended with %d: %v\n%s", status, err, out)
	}
	return list
}

// forget deletes every checkpoint, after which the cluster of production keeps no snapshot.
func (h *shop) forget() {
	h.Helper()
	for _, c := range h.checkpoints() {
		if out, status := h.Sluice("data", "verify", string(c.ID)); status != 0 {
			h.Errorf("sluice data verify ended with %d: %s", status, out)
		}
		if out, status := h.Sluice("data", "delete", string(c.ID), "--yes"); status != 0 {
			h.Errorf("sluice data delete ended with %d: %s", status, out)
		}
	}
	for _, kind := range []string{"VolumeSnapshot", "VolumeSnapshotContent"} {
		for _, o := range h.List(kind+".snapshot.storage.k8s.io", "") {
			h.Errorf("%s is left", o.Ref())
		}
	}
}

// resource names a claim for messages.
func resource(w *world.World) string { return fmt.Sprintf("%s/%s", w.Cluster.Name, w.Namespace) }
