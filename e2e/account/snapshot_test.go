package account_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/e2e/csi"
	account "github.com/sluice-cd/sluice/internal/kubernetes"
)

var snapshotContents = schema.GroupVersionResource{Group: "snapshot.storage.k8s.io", Version: "v1",
	Resource: "volumesnapshotcontents"}

// A keeping is a claim with content that is cut and kept.
type keeping struct {
	*world
	claim sluice.Object
	id    string
	cut   sluice.Cut
}

func newKeeping(w *world, class string) *keeping {
	k := &keeping{world: w, id: w.namespace + "-kept", claim: w.read(`
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], storageClassName: %s, resources: {requests: {storage: 8Mi}}}`, class)}
	v, err := w.Stage(w.Context(), k.claim, "first", "")
	must(w.T, err)
	must(w.T, w.put(v, "content"))
	_, err = w.Use(w.Context(), k.claim, "first")
	must(w.T, err)
	w.Cleanup(func() {
		if err := w.Drop(context.Background(), k.id); err != nil {
			w.Error(err)
		}
	})
	return k
}

func (k *keeping) keep(a *account.Account) (err error) {
	if k.cut, err = a.Cut(k.Context(), k.namespace, []string{"data"}, "copy", 20*time.Second); err != nil {
		return err
	}
	return a.Keep(k.Context(), k.id, k.cut.Volumes)
}

func (k *keeping) discard(a *account.Account) error {
	return a.Discard(k.Context(), k.namespace, "data", "copy")
}

func (k *keeping) taken(a *account.Account) error {
	if err := k.keep(a); err != nil {
		return err
	}
	return k.discard(a)
}

func (k *keeping) undo(a *account.Account) error {
	if err := a.Drop(k.Context(), k.id); err != nil {
		return err
	}
	return k.discard(a)
}

// restored stages the kept snapshot in the namespace of the world, makes it current and gives up the rest.
func (k *keeping) restored(in *world, a *account.Account) error {
	kept, err := a.Kept(k.Context(), k.id)
	if err != nil {
		return err
	}
	claim := k.claim.Clone()
	claim.Set(in.namespace, "metadata", "namespace")
	v, err := a.Stage(k.Context(), claim, "again", kept[0].Name)
	if err != nil {
		return err
	}
	if v.Mount != "" && v.Mount != "data" { // an interrupted call has not put it in its place yet
		if got, err := in.get(v); got != "content" || err != nil {
			return fmt.Errorf("it holds %q: %w", got, err)
		}
	}
	_, err = a.Use(k.Context(), claim, "again")
	return err
}

// contents counts the VolumeSnapshotContents that are of the namespace, without the kept one.
func (w *world) contents() (n int) {
	w.Helper()
	list, err := w.others.Resource(snapshotContents).List(w.Context(), metav1.ListOptions{})
	must(w.T, err)
	for _, u := range list.Items {
		if w.isOurs(u.Object) {
			n++
		}
	}
	return n
}

func (w *world) isOurs(content sluice.Object) bool {
	return content.Text("spec", "volumeSnapshotRef", "namespace") == w.namespace &&
		content.Text("metadata", "labels", "sluice-cd.github.io/kept") == ""
}

// stored reports whether the storage still has the snapshot of the handle.
func (w *world) stored(handle string) bool {
	w.Helper()
	o := w.read(`
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshotContent
metadata: {name: %s}
spec:
  driver: %s
  deletionPolicy: Retain
  source: {snapshotHandle: %s}
  volumeSnapshotRef: {namespace: %s, name: nobody}`, w.namespace, csi.Name, handle, w.namespace)
	delete(o["metadata"].(map[string]any), "namespace")
	contents := w.others.Resource(snapshotContents)
	_, err := contents.Create(w.Context(), &unstructured.Unstructured{Object: o}, metav1.CreateOptions{})
	must(w.T, err)
	defer func() { must(w.T, contents.Delete(context.Background(), w.namespace, metav1.DeleteOptions{})) }()
	seen := w.await(o.Ref(), time.Minute, func(o sluice.Object) bool {
		return o.Field("status", "readyToUse") == true || o.Text("status", "error", "message") != ""
	})
	return seen.Field("status", "readyToUse") == true
}

// handle returns that of the kept snapshot.
func (k *keeping) handle() string {
	k.Helper()
	kept, err := k.Kept(k.Context(), k.id)
	must(k.T, err)
	o, err := k.others.Resource(snapshotContents).Get(k.Context(), kept[0].Name, metav1.GetOptions{})
	must(k.T, err)
	return sluice.Object(o.Object).Text("spec", "source", "snapshotHandle")
}

// unopened deletes the claims that begin with snapshots. If a namespace goes while there are such claims, its snapshots
// mostly stay for a quarter of an hour: their controller does not notice when the claims are gone.
func (k *keeping) unopened() {
	k.Helper()
	claims, err := k.List(k.Context(), "v1", "PersistentVolumeClaim", k.namespace)
	must(k.T, err)
	for _, o := range claims {
		if o.Field("spec", "dataSource") != nil {
			must(k.T, k.Delete(k.Context(), o.Ref()))
		}
	}
}

// A kept snapshot outlives the namespace that it was taken in, whether or not the cut was discarded, and is restored in
// another one. Dropped, it is gone from the storage.
func TestSnapshotsOutliveTheirNamespace(t *testing.T) {
	for _, class := range []string{"csi", "csi-wait"} {
		t.Run(class, func(t *testing.T) {
			k, other := newKeeping(newWorld(t), class), newWorld(t)
			must(t, k.keep(k.Account))
			k.unopened()
			namespace := sluice.Ref{APIVersion: "v1", Kind: "Namespace", Name: k.namespace}
			must(t, k.Delete(t.Context(), namespace))
			must(t, k.discard(k.Account))
			if n := k.contents(); n > 0 {
				t.Errorf("%d contents are left", n)
			}
			must(t, k.restored(other, other.Account))
			if n := other.contents(); n > 0 {
				t.Errorf("%d contents are left where it was restored", n)
			}
			handle := k.handle()
			if !k.stored(handle) {
				t.Error("the storage has no snapshot")
			}
			must(t, k.Drop(t.Context(), k.id))
			if k.stored(handle) {
				t.Error("the storage still has the snapshot")
			}
			again := sluice.Object{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": k.namespace}}
			k.apply(again, sluice.Created) // the end of the test deletes it
		})
	}
}

// The content of a snapshot is changed until it is gone: its controller takes off the mark that the snapshot is being
// made, and then forgets for a quarter of an hour that the content is in deletion. Here a finalizer stands for that.
func TestContentInDeletionIsNudged(t *testing.T) {
	k := newKeeping(newWorld(t), "csi")
	_, err := k.Cut(t.Context(), k.namespace, []string{"data"}, "copy", 20*time.Second)
	must(t, err)
	contents := k.others.Resource(snapshotContents)
	list, err := contents.List(t.Context(), metav1.ListOptions{})
	must(t, err)
	i := slices.IndexFunc(list.Items, func(u unstructured.Unstructured) bool { return k.isOurs(u.Object) })
	name, hold := list.Items[i].GetName(), "sluice.e2e/hold"
	k.patchFinalizers(name, append(list.Items[i].GetFinalizers(), hold))
	discarded := make(chan error, 1)
	go func() { discarded <- k.discard(k.Account) }()
	nudged := func(o *unstructured.Unstructured) bool { return o.GetAnnotations()["sluice-cd.github.io/nudged"] != "" }
	o := &list.Items[i]
	for ; !nudged(o); time.Sleep(50 * time.Millisecond) {
		o, err = contents.Get(t.Context(), name, metav1.GetOptions{})
		must(t, err)
	}
	k.patchFinalizers(name, slices.DeleteFunc(o.GetFinalizers(), func(f string) bool { return f == hold }))
	must(t, <-discarded)
}

func (w *world) patchFinalizers(content string, to []string) {
	w.Helper()
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"finalizers": to}})
	must(w.T, err)
	_, err = w.others.Resource(snapshotContents).Patch(w.Context(), content, types.MergePatchType, patch,
		metav1.PatchOptions{})
	must(w.T, err)
}

// Whatever write a process dies after, the same call finishes its work, and the undo leaves nothing.
func TestSnapshotsKilled(t *testing.T) {
	type call = func(*keeping, *account.Account) error
	restored := func(k *keeping, a *account.Account) error { return k.restored(k.world, a) }
	back := func(k *keeping, a *account.Account) error {
		return a.Discard(k.Context(), k.namespace, "data", "again")
	}
	for name, test := range map[string]struct {
		first, killed call
		then          []call
		stored        bool
	}{
		"kept, and again":     {nil, (*keeping).taken, []call{(*keeping).taken}, true},
		"kept, and undone":    {nil, (*keeping).taken, []call{(*keeping).undo}, false},
		"undone":              {(*keeping).keep, (*keeping).undo, []call{(*keeping).undo}, false},
		"restored, and again": {(*keeping).taken, restored, []call{restored}, true},
		"not restored":        {(*keeping).taken, restored, []call{back}, true},
	} {
		t.Run(name, func(t *testing.T) {
			for writes, dies := 1, true; dies && writes < manyWrites; writes += stride() {
				t.Run(fmt.Sprint(writes), func(t *testing.T) {
					k := newKeeping(newWorld(t), "csi")
					handle := ""
					if test.first != nil {
						must(t, test.first(k, k.Account))
						handle = k.handle()
					}
					m := k.mortal(writes)
					err := test.killed(k, m.Account)
					if dies = m.dead.Load(); !dies {
						must(t, err)
					}
					for _, next := range test.then {
						if err := next(k, k.Account); err != nil && sluice.ErrorCode(err) != sluice.Conflict {
							t.Fatal(err)
						}
					}
					if test.stored {
						handle = k.handle()
					}
					if n := k.contents(); n > 0 {
						t.Errorf("%d contents are left", n)
					}
					if handle != "" && k.stored(handle) != test.stored {
						t.Errorf("that the storage has the snapshot is %t", !test.stored)
					}
				})
			}
		})
	}
}
