package data

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/e2e/csi"
	"github.com/sluice-cd/sluice/e2e/world"
)

// lease is how long a database may be locked, whatever happens.
const lease = 30 * time.Second

// A locking is a database on two claims, whose snapshots are no group, and a client that writes all the time.
type locking struct {
	*world.World
	client *mongo.Client
	*writer
}

const lockableManifest = `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], storageClassName: csi, resources: {requests: {storage: 64Mi}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: journal}
spec: {accessModes: [ReadWriteOnce], storageClassName: csi, resources: {requests: {storage: 16Mi}}}
---
apiVersion: v1
kind: Service
metadata: {name: mongo}
spec:
  selector: {app: mongo}
  ports: [{name: mongo, port: 27017}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: mongo}
spec:
  serviceName: mongo
  selector: {matchLabels: {app: mongo}}
  template:
    metadata: {labels: {app: mongo}}
    spec:
      terminationGracePeriodSeconds: 5
      containers:
        - name: ferretdb
          image: ferretdb:1.23.1
          imagePullPolicy: Never
          args: [--listen, "127.0.0.1:27018", --data, /data/db]
          volumeMounts: [{name: data, mountPath: /data/db}]
        - name: lockable
          image: lockable:1
          imagePullPolicy: Never
          args: [--listen, ":27017", --journal, /journal/writes]
          readinessProbe: {tcpSocket: {port: 27017}, periodSeconds: 1}
          volumeMounts: [{name: journal, mountPath: /journal}]
      volumes:
        - {name: data, persistentVolumeClaim: {claimName: data}}
        - {name: journal, persistentVolumeClaim: {claimName: journal}}
`

const lockingFile = `
version: v1
kind: kubernetes
application: shop
deploymentConfig: {timeout: {duration: 2, unit: minutes}}
datasets:
  writes:
    engine: mongodb
    workload: StatefulSet/mongo
    claims: [data, journal]
    mover: kopia
    database: {uri: "mongodb://mongo:27017/shop"}
targets:
  production:
    account: cluster01
    namespace: {{.Namespace}}
    strategy: rolling
    constraints:
      beforeDeployment:
        - checkpointData: {dataset: writes}
manifests:
  - inline: |
      {apiVersion: v1, kind: ConfigMap, metadata: {name: release}, data: {number: "{{.Number}}"}}
strategies:
  rolling: {canary: {steps: [{setWeight: {weight: 100}}]}}
`

func newLocking(t *testing.T) *locking {
	l := &locking{World: world.New(t)}
	l.Delete("VolumeGroupSnapshotClass.groupsnapshot.storage.k8s.io", csi.SnapshotClass)
	config, err := l.Cluster.Config()
	l.must(err)
	t.Cleanup(func() {
		if err := csi.CreateGroupClass(context.Background(), config, csi.SnapshotClass, nil); err != nil {
			t.Error(err)
		}
	})
	l.Put(lockableManifest)
	l.Ready("StatefulSet", "mongo")
	uri := "mongodb://" + l.Get("Service", "mongo").Text("spec", "clusterIP") + ":27017"
	l.client, err = mongo.Connect(options.Client().ApplyURI(uri).SetServerSelectionTimeout(10 * time.Second))
	l.must(err)
	l.writer = write(l.client)
	t.Cleanup(func() {
		l.stop()
		_ = l.client.Disconnect(context.Background()) // the test is over
	})
	return l
}

func (l *locking) must(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

// release starts a release with a checkpoint before it.
func (l *locking) release(number int) *world.Process {
	l.Helper()
	l.Value("Number", strconv.Itoa(number))
	l.Write("deploy.yaml", lockingFile)
	return l.Start("run", "-f", "deploy.yaml", "--yes")
}

// stalling makes snapshots of the class that counts never be taken, until resume is called. The caller calls remove.
func (l *locking) stalling() (resume, remove func()) {
	l.Helper()
	const class = "a-stalling" // the first one counts
	config, err := l.Cluster.Config()
	l.must(err)
	client, err := dynamic.NewForConfig(config)
	l.must(err)
	put := func(outcome string) {
		l.must(csi.CreateSnapshotClass(context.Background(), config, class, map[string]string{csi.Outcome: outcome}))
	}
	remove = func() {
		err := client.Resource(csi.SnapshotClasses).Delete(context.Background(), class, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			l.Error(err)
		}
	}
	put(csi.OutcomeStall)
	return func() { remove(); put("") }, remove
}

func (l *locking) locked() bool {
	l.Helper()
	var now struct {
		Locked bool `bson:"fsyncLock"`
	}
	command := bson.D{{Key: "currentOp", Value: 1}}
	l.must(l.client.Database("admin").RunCommand(context.Background(), command).Decode(&now))
	return now.Locked
}

// ends fails unless the lock, which has begun, ends within the lease, and writes go on.
func (l *locking) ends(began time.Time) {
	l.Helper()
	l.Await("the end of the lock", func() bool { return !l.locked() })
	if spent := time.Since(began); spent > lease {
		l.Errorf("the database was locked for %s", spent)
	} else {
		l.Logf("the lock ended after %s", spent.Round(time.Millisecond))
	}
	n := l.count()
	l.Await("more writes", func() bool { return l.count() > n })
}

// settled fails if a write is lost, or if anything of a lock or a cut is left.
func (l *locking) settled() {
	l.Helper()
	if l.locked() {
		l.Error("the database is locked")
	}
	confirmed := l.count()
	found, err := l.client.Database("shop").Collection("writes").CountDocuments(context.Background(), bson.D{})
	if err != nil || int(found) < confirmed {
		l.Errorf("of %d writes %d are there: %v", confirmed, found, err)
	}
	for _, kind := range []string{"Job", "Secret", "VolumeSnapshot.snapshot.storage.k8s.io"} {
		if left := l.List(kind, ""); len(left) > 0 {
			l.Errorf("%d objects of the kind %s are left, such as %s", len(left), kind, left[0].Ref())
		}
	}
	if claims := l.List("PersistentVolumeClaim", ""); len(claims) != 2 {
		l.Errorf("there are %d claims", len(claims))
	}
}

// TestLock: data and journal are on claims of their own, and a copy of different moments does not open.
func TestLock(t *testing.T) {
	l := newLocking(t)
	r := l.Ends(sluice.StatusSucceeded, l.release(1))
	if !strings.Contains(r.Story(), "the source stood still for") || l.longest() == 0 {
		t.Errorf("the pause is not reported:\n%s", r.Story())
	}
	l.settled()
	for _, fault := range []struct {
		name   string
		number int
		strike func(*world.Process) *world.Process
	}{
		{"sluice is killed", 2, func(p *world.Process) *world.Process { p.Kill(); return nil }},
		{"the holder is killed", 3, func(p *world.Process) *world.Process { l.kill("sluice-lock-"); return p }},
	} {
		resume, remove := l.stalling()
		t.Cleanup(remove)
		p := l.release(fault.number)
		l.Await("the lock", l.locked)
		began := time.Now()
		p = fault.strike(p)
		l.ends(began)
		resume()
		if p == nil {
			p = l.Start("run", "--resume")
		}
		l.Ends(sluice.StatusSucceeded, p)
		l.settled()
		t.Logf("%s: the longest write took %s", fault.name, l.longest().Round(time.Millisecond))
		remove()
	}
}

// kill kills every process of the pods of Jobs whose name begins so.
func (l *locking) kill(prefix string) {
	l.Helper()
	killed := 0
	for _, pod := range l.List("Pod", "") {
		if !strings.HasPrefix(pod.Ref().Name, prefix) {
			continue
		}
		uid := pod.Text("metadata", "uid")
		groups, err := filepath.Glob("/proc/[0-9]*/cgroup")
		l.must(err)
		for _, file := range groups {
			text, err := os.ReadFile(file)
			if err != nil || !strings.Contains(strings.ReplaceAll(string(text), "_", "-"), uid) {
				continue // a process may have ended meanwhile
			}
			args, err := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
			id, err2 := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			if errors.Join(err, err2) != nil || !strings.Contains(string(args), "beside") {
				continue
			}
			l.must(syscall.Kill(id, syscall.SIGKILL))
			killed++
		}
	}
	if killed == 0 {
		l.Fatalf("no process of a pod %s* was found", prefix)
	}
}

// A writer writes one document after the other.
type writer struct {
	stop func()

	mu        sync.Mutex
	confirmed int
	slowest   time.Duration
}

func write(client *mongo.Client) *writer {
	ctx, cancel := context.WithCancel(context.Background())
	w, over := &writer{}, make(chan struct{})
	w.stop = func() { cancel(); <-over }
	go func() {
		defer close(over)
		pause := time.NewTicker(2 * time.Millisecond) // the checkpoint reads everything
		defer pause.Stop()
		for n := 0; ctx.Err() == nil; n++ {
			<-pause.C
			began := time.Now()
			_, err := client.Database("shop").Collection("writes").InsertOne(ctx, bson.D{{Key: "_id", Value: fmt.Sprint(n)}})
			w.mu.Lock()
			if err == nil {
				w.confirmed++
			}
			w.slowest = max(w.slowest, time.Since(began))
			w.mu.Unlock()
		}
	}()
	return w
}

func (w *writer) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.confirmed
}

func (w *writer) longest() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.slowest
}
