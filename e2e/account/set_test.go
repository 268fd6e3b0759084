package account_test

import (
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// The controller of a StatefulSet may delete its claims while the set has no pods. The data is replaced and put back
// all the same.
func TestVolumesOfStatefulSet(t *testing.T) {
	w := newWorld(t)
	db := w.read(`
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 2
  serviceName: db
  podManagementPolicy: Parallel
  persistentVolumeClaimRetentionPolicy: {whenDeleted: Delete, whenScaled: Delete}
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - {name: db, image: %q, imagePullPolicy: Never, volumeMounts: [{name: data, mountPath: /data}]}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}`, pause)
	w.apply(db, sluice.Created)
	ready := func(o sluice.Object) bool { return manifest.Status(o).Phase == manifest.Ready }
	w.await(db.Ref(), time.Minute, ready)
	names := []string{"data-db-0", "data-db-1"}
	claims, old := map[string]sluice.Object{}, map[string]string{}
	for _, name := range names {
		claims[name], old[name] = w.claim(name), w.bound(name)
		v, err := w.Stage(t.Context(), claims[name], "next", "")
		must(t, err)
		must(t, w.put(v, name))
	}
	w.scaledAway(db.Ref(), names)
	for _, name := range names {
		_, err := w.Use(t.Context(), claims[name], "next")
		must(t, err)
	}
	must(t, w.Scale(t.Context(), db.Ref(), 2))
	w.await(db.Ref(), time.Minute, ready)
	for _, name := range names {
		if text, err := w.get(sluice.Volume{Mount: name}); text != name || err != nil {
			t.Errorf("%s holds %q: %v", name, text, err)
		}
		if w.bound(name) == old[name] {
			t.Errorf("%s has the volume that it had", name)
		}
		_, err := w.Stage(t.Context(), claims[name], "other", "") // what keeps the volume of a stopped set
		must(t, err)
	}
	w.scaledAway(db.Ref(), names)
	for _, name := range names {
		_, err := w.Use(t.Context(), claims[name], old[name])
		must(t, err)
		for _, generation := range []string{"next", "other"} {
			must(t, w.Discard(t.Context(), w.namespace, name, generation))
		}
		pv, err := w.Get(t.Context(), volumeRef(w.bound(name)))
		must(t, err)
		if pv.Ref().Name != old[name] || pv.Text("spec", "persistentVolumeReclaimPolicy") != "Delete" {
			t.Errorf("put back, %s has %s: %v", name, pv.Ref(), pv["spec"])
		}
	}
}

// claim returns the claim as it is to be created again.
func (w *world) claim(name string) sluice.Object {
	w.Helper()
	o, err := w.Get(w.Context(), w.ref("v1", "PersistentVolumeClaim", name))
	must(w.T, err)
	claim := w.read("{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: %s}}", name)
	claim["spec"] = o.Clone()["spec"]
	delete(claim["spec"].(map[string]any), "volumeName")
	claim.Set(o.Field("metadata", "labels"), "metadata", "labels")
	return claim
}

// scaledAway returns when the set has neither pods nor claims.
func (w *world) scaledAway(set sluice.Ref, claims []string) {
	w.Helper()
	must(w.T, w.Scale(w.Context(), set, 0))
	for _, name := range claims {
		ref := w.ref("v1", "PersistentVolumeClaim", name)
		for o, err := range w.Follow(w.Context(), ref) {
			must(w.T, err)
			if o.Text("metadata", "deletionTimestamp") != "" {
				break
			}
		}
		must(w.T, w.Delete(w.Context(), ref))
	}
}
