package data

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/e2e/world"
	"github.com/sluice-cd/sluice/examples/shop/orders"
	"github.com/sluice-cd/sluice/internal/movertest"
)

// A lab is a database in each of two clusters that cannot reach each other, and deploy files that copy, verify and
// restore production's data.
type lab struct {
	*shop
	bucket *movertest.Bucket
}

// newLab starts both databases and fills them.
func newLab(t *testing.T, s storage) *lab {
	t.Helper()
	pair := world.Pair()
	pair.Separate(t)
	l := &lab{
		shop:   &shop{World: world.In(t, pair.Cluster01), staging: world.In(t, pair.Cluster02), storage: s},
		bucket: movertest.StartBucket(t),
	}
	l.write()
	for _, w := range l.worlds() {
		w.Put(l.manifest("mongo-1.23.yaml"))
		w.Ready("StatefulSet", "mongo")
		w.Put(l.manifest("seed-1.0.yaml"))
		w.Ready("Job", "seed")
		w.Delete("Job", "seed")
	}
	l.Write("copy.yaml", l.adapt(fmt.Sprintf(copyFile, l.staging.Namespace, l.Namespace)))
	l.Write("back.yaml", l.adapt(fmt.Sprintf(backFile, l.Namespace)))
	return l
}

func (l *lab) worlds() []*world.World { return []*world.World{l.World, l.staging} }

const data = `
version: v1
kind: kubernetes
application: lab
deploymentConfig: {timeout: {duration: 2, unit: minutes}}
datasets:
  orders:
    engine: mongodb
    workload: StatefulSet/mongo
    claims: [mongo-data]
    database: {uri: "mongodb://mongo:27017/shop"}
targets:
`

const copyFile = data + `
  staging:
    account: cluster02
    namespace: %s
    constraints:
      beforeDeployment: [migrateData: {dataset: orders, from: production}]
      afterDeployment: [verifyData: {dataset: orders, baseline: migration}]
  production: {account: cluster01, namespace: %s, constraints: {dependsOn: [staging]}}
`

const backFile = data + `
  production:
    account: cluster01
    namespace: %s
    constraints:
      beforeDeployment: [checkpointData: {dataset: orders}]
      afterDeployment: [restoreData: {dataset: orders, allowDataLoss: {writes: 1000, seconds: 600}}]
`

// target is the part of the lab whose data the deploy file replaces.
func (l *lab) target(file string) *world.World {
	if file == "back" {
		return l.World
	}
	return l.staging
}

// scratch returns the namespace in which production's copy is opened, nil if there is none.
func (l *lab) scratch() *world.World {
	l.Helper()
	for _, n := range l.List("Namespace", sluice.CopyLabel) {
		if n.Text("metadata", "deletionTimestamp") == "" {
			w := *l.World
			w.Namespace = n.Ref().Name
			return &w
		}
	}
	return nil
}

// pods returns the names of the pods that run beside the data for the kind of work.
func pods(w *world.World, kind string) []string {
	if w == nil {
		return nil
	}
	var names []string
	for _, p := range w.List("Pod", "app.kubernetes.io/managed-by=sluice") {
		name := p.Ref().Name
		if strings.HasPrefix(name, "sluice-"+kind+"-") && p.Text("status", "phase") == "Running" {
			names = append(names, name)
		}
	}
	return names
}

// A scene is what a run may not change, or only in its target.
type scene struct {
	objects   world.Snapshot
	orders    orders.Digests
	volume    sluice.Object
	inventory world.Inventory
}

func (l *lab) look(w *world.World) scene {
	l.Helper()
	w.Ready("StatefulSet", "mongo")
	return scene{w.Snapshot(), l.orders(w), volume(w), w.Inventory()}
}

// volume returns what is meant to stay of the claim's volume, whichever it is.
func volume(w *world.World) sluice.Object {
	w.Helper()
	o := w.Get("PersistentVolume", w.Get("PersistentVolumeClaim", "mongo-data").Text("spec", "volumeName"))
	return sluice.Object{
		"policy": o.Field("spec", "persistentVolumeReclaimPolicy"), "labels": o.Field("metadata", "labels"),
		"annotations": o.Field("metadata", "annotations"), "class": o.Field("spec", "storageClassName"),
		"modes": o.Field("spec", "accessModes"), "size": o.Field("spec", "capacity"),
	}
}

// unchanged fails unless everything is as it was. If the data was replaced, the claim may have another volume, and the
// orders must be those.
func (l *lab) unchanged(w *world.World, was scene, replaced orders.Digests) {
	l.Helper()
	name := fmt.Sprintf("%s/%s", w.Cluster.Name, w.Namespace)
	w.Ready("StatefulSet", "mongo")
	but, want := []string(nil), was.orders
	if replaced != nil {
		but, want = []string{"PersistentVolumeClaim/mongo-data"}, replaced
	}
	w.Unchanged(was.objects, but...)
	if now := l.orders(w); !want.Equal(now) {
		l.Errorf("%s has %d orders, %d of them as they should be, not %d", name, len(now), want.Kept(now), len(want))
	}
	if diff := cmp.Diff(was.volume, volume(w)); diff != "" {
		l.Errorf("the volume of %s is not as it was (-was +now):\n%s", name, diff)
	}
	l.nothingLeft(w, was.inventory)
}

// nothingLeft waits for what the cluster still deletes. What other tests leave may go at any time.
func (l *lab) nothingLeft(w *world.World, was world.Inventory) {
	l.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Second) {
		more := w.Inventory().Since(was)
		if len(more) == 0 {
			return
		}
		if time.Now().After(end) {
			l.Errorf("left over in %s: %v", w.Cluster.Name, more)
			return
		}
	}
}

// flipBit changes one bit of the largest stored block, and returns what changes it back.
func (l *lab) flipBit() (back func()) {
	l.Helper()
	var blocks []string
	root := filepath.Join(l.Dir, ".sluice", "repository")
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if short, _ := filepath.Rel(root, path); err == nil && d.Type().IsRegular() && strings.HasPrefix(short, "p") {
			blocks = append(blocks, path)
		}
		return err
	})
	if err != nil || len(blocks) == 0 {
		l.Fatalf("there are no blocks in %s: %v", root, err)
	}
	size := func(path string) int64 {
		info, err := os.Stat(path)
		if err != nil {
			l.Fatal(err)
		}
		return info.Size()
	}
	largest := slices.MaxFunc(blocks, func(a, b string) int { return int(size(a) - size(b)) })
	change := func() {
		text, err := os.ReadFile(largest)
		if err != nil {
			l.Fatal(err)
		}
		text[len(text)/2] ^= 1
		if err := os.Chmod(largest, 0o600); err != nil {
			l.Fatal(err)
		}
		if err := os.WriteFile(largest, text, 0o600); err != nil {
			l.Fatal(err)
		}
	}
	change()
	return change
}
