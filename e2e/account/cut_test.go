package account_test

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/e2e/csi"
)

// A snapshot that the driver never takes is given up after the lease, in the driver's words, and leaves nothing.
func TestCutFails(t *testing.T) {
	w := newWorldOn(t, pair.Cluster02)
	config, err := pair.Cluster02.Config()
	must(t, err)
	const class = "a-failing" // the first one counts
	must(t, csi.CreateSnapshotClass(t.Context(), config, class, map[string]string{csi.Outcome: csi.OutcomeFail}))
	t.Cleanup(func() {
		must(t, w.others.Resource(csi.SnapshotClasses).Delete(context.Background(), class, metav1.DeleteOptions{}))
	})
	w.apply(w.read(`
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], storageClassName: csi, resources: {requests: {storage: 1Mi}}}`), sluice.Created)
	w.bound("data")
	_, err = w.Cut(t.Context(), w.namespace, []string{"data"}, "copy", 5*time.Second)
	w.wants(err, sluice.Failed, "data", "its driver says")
	t.Log(err)
	for kind, want := range map[string]int{"VolumeSnapshot": 0, "PersistentVolumeClaim": 1} {
		version := map[bool]string{true: "v1", false: "snapshot.storage.k8s.io/v1"}[kind == "PersistentVolumeClaim"]
		list, err := w.List(t.Context(), version, kind, w.namespace)
		must(t, err)
		if len(list) != want {
			t.Errorf("there are %d objects of the kind %s", len(list), kind)
		}
	}
}
