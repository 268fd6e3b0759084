package seeddemo_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/e2e/cluster"
	"github.com/sluice-cd/sluice/e2e/seeddemo"
	"github.com/sluice-cd/sluice/e2e/seeddemo/stork"
)

const move = "staging/before/0"

// testMoved delivers the demo with a data step. It succeeds where the webhooks do, and fails where the gate of the
// original lets a failed migration pass.
func testMoved(t *testing.T, w *seeddemo.World) {
	t.Run("good", func(t *testing.T) { testMovedGood(t, w) })
	t.Run("again", func(t *testing.T) { testMovedAgain(t, w) })
	for name, test := range map[string]struct {
		mode stork.Mode
		want string
	}{
		"a volume fails": {stork.VolumeFails,
			"orders is Failed (Migration failed for volume: restore: no space left in pool)"},
		"a claim fails": {stork.ClaimFails, "it ended as PartialSuccess: PersistentVolumeClaim/orders is Failed"},
	} {
		t.Run(name, func(t *testing.T) { testMovedFails(t, w, test.mode, test.want) })
	}
}

// volumes names the volumes of Portworx in the cluster, with what happens to them.
func volumes(t *testing.T, w *seeddemo.World, c *cluster.Cluster) []string {
	t.Helper()
	return strings.Fields(w.Kubectl(t, c, "", "get", "persistentvolumes", "-o", `jsonpath={range .items[?(@.spec.`+
		`storageClassName=="px-db")]}{.metadata.name}/{.spec.persistentVolumeReclaimPolicy}/{.status.phase} {end}`))
}

func testMovedGood(t *testing.T, w *seeddemo.World) {
	w.Migrations(t, stork.Good)
	orders := w.Install(t, 20)
	production := w.Claimed(t, pair.Cluster01)
	before := w.Everything(t)
	dir := w.Checkout(t, "6.0.3")
	r := w.Run(t, dir, approve(t, w, dir))
	want := map[string]string{"staging": "succeeded", "production": "succeeded"}
	if diff := cmp.Diff(want, r.Targets); diff != "" || r.Status != 0 {
		t.Fatalf("status %d, targets (-want +got):\n%s", r.Status, diff)
	}
	arrived(t, w, orders)
	extra := slices.DeleteFunc(slices.Clone(added[w.Namespace]), func(s string) bool {
		return strings.Contains(s, "migration.")
	})
	if diff := cmp.Diff(slices.Sorted(slices.Values(append(before, extra...))), w.Everything(t)); diff != "" {
		t.Errorf("something else is there (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(production, w.Claimed(t, pair.Cluster01)); diff != "" {
		t.Errorf("production's claim is not as it was (-want +got):\n%s", diff)
	}
}

// testMovedAgain moves over the volume of the move before.
func testMovedAgain(t *testing.T, w *seeddemo.World) {
	w.Order(t, pair.Cluster01, `{"customer": "late", "dish": "ribs", "price": 9}`)
	orders := w.Orders(t, pair.Cluster01)
	dir := w.Checkout(t, "6.0.3")
	r := w.Run(t, dir, approve(t, w, dir))
	if r.Status != 0 {
		t.Fatalf("status %d, targets %v, failures %v", r.Status, r.Targets, r.Failures)
	}
	arrived(t, w, orders)
}

func approve(t *testing.T, w *seeddemo.World, dir string) func(string) {
	return func(step string) {
		if step != approval {
			t.Errorf("%s waits for a person", step)
		}
		w.Command(t, dir, "approve", "--reason", "the graphs look good")
	}
}

// arrived tests that staging has production's orders, on one volume of the same name.
func arrived(t *testing.T, w *seeddemo.World, orders string) {
	t.Helper()
	for _, c := range pair.Clusters() {
		if image := running(t, w, c, w.Demo.Database); image != "mongo:6.0.3" {
			t.Errorf("%s runs %s", c.Name, image)
		}
		if got := w.Orders(t, c); got != orders {
			t.Errorf("the orders in %s are not those that production had (-want +got):\n%s", c.Name, cmp.Diff(orders, got))
		}
	}
	want := volumes(t, w, pair.Cluster01)
	w.Await(t, "the previous volume to be removed", func() bool {
		return slices.Equal(want, volumes(t, w, pair.Cluster02))
	})
}

// testMovedFails moves claims without labels of their own.
func testMovedFails(t *testing.T, w *seeddemo.World, mode stork.Mode, want string) {
	w.Install(t, 3)
	w.Order(t, pair.Cluster02, `{"customer": "tester", "dish": "beans", "price": 1}`)
	w.Kubectl(t, pair.Cluster01, "", "label", "-n", w.Namespace, "pvc/"+w.Claim, "pxmigrate-")
	w.Migrations(t, mode)
	before, orders := w.Everything(t), w.Orders(t, pair.Cluster02)
	production, claim := w.Objects(t, pair.Cluster01, w.Namespace), w.Claimed(t, pair.Cluster02)
	kept := volumes(t, w, pair.Cluster02)
	r := w.Run(t, w.Checkout(t, "6.0.3"), nobody(t))
	ended := map[string]string{"staging": "rolledBack", "production": "skipped"}
	if diff := cmp.Diff(ended, r.Targets); diff != "" || r.Status != 1 {
		t.Errorf("status %d, targets (-want +got):\n%s", r.Status, diff)
	}
	if !strings.Contains(r.Failures[move], want) {
		t.Errorf("the failure is reported as %q", r.Failures[move])
	}
	if diff := cmp.Diff(before, w.Everything(t)); diff != "" {
		t.Errorf("something is left (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(production, w.Objects(t, pair.Cluster01, w.Namespace)); diff != "" {
		t.Errorf("production is not as it was (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(claim, w.Claimed(t, pair.Cluster02)); diff != "" {
		t.Errorf("staging's claim is not as it was (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(kept, volumes(t, w, pair.Cluster02)); diff != "" {
		t.Errorf("staging's volumes are not as they were (-want +got):\n%s", diff)
	}
	if got := w.Orders(t, pair.Cluster02); got != orders {
		t.Errorf("staging's orders changed (-want +got):\n%s", cmp.Diff(orders, got))
	}
}
