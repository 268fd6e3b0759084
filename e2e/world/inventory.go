package world

import (
	"context"
	"slices"

	"github.com/sluice-cd/sluice"
)

// An Inventory counts the objects of a cluster by kind and name. A volume or the content of a snapshot counts under the
// claim or snapshot that it belongs to, because its own name has no meaning.
type Inventory map[string]int

// busy are kinds that a cluster makes and deletes at any time.
var busy = []string{"Pod", "ReplicaSet", "CSIStorageCapacity", "VolumeAttachment"}

// Inventory counts what is in the whole cluster and is not being deleted.
func (w *World) Inventory() Inventory {
	w.Helper()
	i := Inventory{}
	for _, o := range w.everything(context.Background(), "") {
		if slices.Contains(busy, o.Text("kind")) || o.Text("metadata", "deletionTimestamp") != "" {
			continue
		}
		i[counted(o)]++
	}
	return i
}

func counted(o sluice.Object) string {
	for _, owner := range []string{"claimRef", "volumeSnapshotRef"} {
		if name := o.Text("spec", owner, "name"); name != "" {
			return o.Text("kind") + " of " + o.Text("spec", owner, "namespace") + "/" + name
		}
	}
	return o.Ref().Namespace + " " + o.Ref().String()
}

// Since returns what there is more of than before.
func (i Inventory) Since(before Inventory) Inventory {
	more := Inventory{}
	for name, n := range i {
		if n > before[name] {
			more[name] = n - before[name]
		}
	}
	return more
}
