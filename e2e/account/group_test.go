package account_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/e2e/csi"
)

// several makes two claims of the class csi.
func several(t *testing.T) (*world, []string) {
	w := newWorldOn(t, pair.Cluster01)
	claims := []string{"data", "journal"}
	for _, name := range claims {
		claim := w.read(`
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: %s, labels: {kept: "yes"}}
spec: {accessModes: [ReadWriteOnce], storageClassName: csi, resources: {requests: {storage: 1Mi}}}`, name)
		w.apply(claim, sluice.Created)
		w.bound(name)
	}
	return w, claims
}

// groupClass makes a class of groups that the test uses instead of the usual one: the first by name counts.
func (w *world) groupClass(name, policy, outcome string) {
	w.Helper()
	class := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": csi.GroupClasses.GroupVersion().String(), "kind": "VolumeGroupSnapshotClass", "driver": csi.Name,
		"deletionPolicy": policy, "parameters": map[string]any{csi.Outcome: outcome},
	}}
	class.SetName(name)
	_, err := w.others.Resource(csi.GroupClasses).Create(w.Context(), class, metav1.CreateOptions{})
	must(w.T, err)
	w.Cleanup(func() {
		must(w.T, w.others.Resource(csi.GroupClasses).Delete(context.Background(), name, metav1.DeleteOptions{}))
	})
}

// untouched fails if anything is left of a cut.
func (w *world) untouched(claims []string) {
	w.Helper()
	for resource, n := range map[schema.GroupVersionResource]int{
		csi.SnapshotClasses.GroupVersion().WithResource("volumesnapshots"):   0,
		csi.GroupClasses.GroupVersion().WithResource("volumegroupsnapshots"): 0,
		{Version: "v1", Resource: "persistentvolumeclaims"}:                  len(claims),
	} {
		list, err := w.others.Resource(resource).Namespace(w.namespace).List(w.Context(), metav1.ListOptions{})
		must(w.T, err)
		if len(list.Items) != n {
			w.Errorf("there are %d %s, want %d", len(list.Items), resource.Resource, n)
		}
	}
	for _, resource := range []schema.GroupVersionResource{
		csi.SnapshotClasses.GroupVersion().WithResource("volumesnapshotcontents"),
		csi.GroupClasses.GroupVersion().WithResource("volumegroupsnapshotcontents"),
	} {
		list, err := w.others.Resource(resource).List(w.Context(), metav1.ListOptions{})
		must(w.T, err)
		for _, o := range list.Items {
			if strings.Contains(fmt.Sprint(o.Object["spec"]), w.namespace) {
				w.Errorf("%s %s is left", resource.Resource, o.GetName())
			}
		}
	}
	for _, claim := range claims {
		w.unlabelled(claim)
	}
}

// unlabelled fails if the claim has other labels than it had.
func (w *world) unlabelled(claim string) {
	w.Helper()
	o, err := w.client.CoreV1().PersistentVolumeClaims(w.namespace).Get(w.Context(), claim, metav1.GetOptions{})
	must(w.T, err)
	if len(o.Labels) != 1 || o.Labels["kept"] != "yes" {
		w.Errorf("the claim %s has the labels %v", claim, o.Labels)
	}
}

// Whatever write a process dies after, the next cut goes on with its group, and nothing is left when the copies are
// discarded. The content of a group goes even if its class wants to keep it.
func TestCutOfAGroupKilled(t *testing.T) {
	w, claims := several(t)
	states, err := w.Describe(t.Context(), w.namespace, claims)
	must(t, err)
	for _, s := range states {
		if s.Way != sluice.CutGroup {
			t.Errorf("the claim %s is cut by %s: %s", s.Claim, s.Way, s.Reason)
		}
	}
	w.groupClass("a-keeping", "Retain", "")
	for writes, dies := 1, true; dies; writes += (stride() + 1) / 2 {
		m := w.mortal(writes)
		cut := func(a sluice.Volumes) (sluice.Cut, error) {
			return a.Cut(t.Context(), w.namespace, claims, "copy", 30*time.Second)
		}
		_, err := cut(m.Account)
		if dies = m.dead.Load(); !dies {
			must(t, err)
		}
		if writes%4 == 1 {
			again, err := cut(w.Account)
			must(t, err)
			if len(again.Volumes) != 2 || again.At.IsZero() {
				t.Errorf("after %d writes the cut is %+v", writes, again)
			}
			for _, claim := range claims {
				w.unlabelled(claim)
			}
		}
		for range 2 {
			for _, claim := range claims {
				must(t, w.Discard(t.Context(), w.namespace, claim, "copy"))
			}
		}
		w.untouched(claims)
	}
}

// A group that the driver refuses is given up after the lease, in the driver's words, and leaves nothing.
func TestCutOfAGroupFails(t *testing.T) {
	w, claims := several(t)
	w.groupClass("a-failing", "Delete", csi.OutcomeFail)
	_, err := w.Cut(t.Context(), w.namespace, claims, "copy", 5*time.Second)
	w.wants(err, sluice.Failed, "data, journal", "wants it to fail")
	t.Log(err)
	w.untouched(claims)
}
