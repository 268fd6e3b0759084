package data

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/e2e/world"
	"github.com/sluice-cd/sluice/examples/shop/orders"
	"github.com/sluice-cd/sluice/internal/movertest"
)

// A storage is how the claims of the shop are kept, and what the deploy files need for that.
type storage struct {
	class   string // of production's claims and, without another one, of staging's
	quiesce string // a line of the dataset; "" for none
	mover   string // of the dataset; "" for auto
	within  bool   // staging is in the cluster of production
	bucket  bool   // the repository is in a bucket
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
	monitor := h.Monitor()
	settings := fmt.Sprintf("metrics: {prometheus: {type: prometheus, url: %q}}\n", monitor.URL())
	if s.bucket {
		settings += repositoryIn(h.World, movertest.StartBucket(t))
	}
	h.Configure(settings)
	h.write()
	h.deliver("release-1.0")
	if found := len(h.orders(h.World)); found != seeded {
		t.Fatalf("production has %d orders, not %d", found, seeded)
	}
	return h
}

// repositoryIn returns the settings for a repository in the bucket.
func repositoryIn(w *world.World, b *movertest.Bucket) string {
	w.Write("access", b.AccessKey)
	w.Write("secret", b.SecretKey)
	return fmt.Sprintf("repository: {s3: {endpoint: %q, bucket: %s, prefix: shop/, region: us-east-1, "+
		"accessKey: {file: access}, secretKey: {file: secret}, caFile: %q}}\n", b.Endpoint, b.Name, b.CAFile)
}

// orders reads every order from the database of the namespace.
func (h *shop) orders(w *world.World) orders.Digests {
	h.Helper()
	address := w.Get("Service", "mongo").Text("spec", "clusterIP") + ":27017"
	found, err := orders.Read(h.Context(), address)
	if err != nil {
		h.Fatalf("%s/%s: %v", w.Cluster.Name, w.Namespace, err)
	}
	return found
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

// manifest returns a manifest of the examples as the shop needs it.
func (h *shop) manifest(name string) string {
	h.Helper()
	text, err := os.ReadFile(filepath.Join(h.Dir, "manifests", name))
	if err != nil {
		h.Fatal(err)
	}
	return string(text)
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

// A checkpoint is an item of sluice data list.
type checkpoint struct {
	ID   sluice.CheckpointID
	Copy struct{ Mover string }
}

// checkpoints returns those that sluice lists.
func (h *shop) checkpoints() []checkpoint {
	h.Helper()
	var list struct{ Items []checkpoint }
	out, status := h.Sluice("data", "list", "-o", "json")
	if err := json.Unmarshal([]byte(out), &list); err != nil || status != 0 {
		h.Fatalf("sluice data list ended with %d: %v\n%s", status, err, out)
	}
	return list.Items
}

// forget deletes every checkpoint, after which the cluster of production keeps no snapshot of it.
func (h *shop) forget() {
	h.Helper()
	var ids []string
	for _, c := range h.checkpoints() {
		ids = append(ids, string(c.ID))
		if out, status := h.Sluice("data", "verify", string(c.ID)); status != 0 {
			h.Errorf("sluice data verify ended with %d: %s", status, out)
		}
		if out, status := h.Sluice("data", "delete", string(c.ID), "--yes"); status != 0 {
			h.Errorf("sluice data delete ended with %d: %s", status, out)
		}
	}
	for _, o := range h.List("VolumeSnapshot.snapshot.storage.k8s.io", "") {
		h.Errorf("%s is left", o.Ref())
	}
	for _, o := range h.List("VolumeSnapshotContent.snapshot.storage.k8s.io", "") {
		if slices.ContainsFunc(ids, func(id string) bool {
			return strings.HasPrefix(world.Annotation(o, "sluice-cd.github.io/kept-as"), id)
		}) {
			h.Errorf("%s is left", o.Ref())
		}
	}
}
