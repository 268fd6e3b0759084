package datatest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/database/mongodb"
	"github.com/sluice-cd/sluice/internal/databasetest"
	"github.com/sluice-cd/sluice/internal/local"
	"github.com/sluice-cd/sluice/internal/manifest"
	"github.com/sluice-cd/sluice/internal/mover"
	"github.com/sluice-cd/sluice/internal/mover/kopia"
	"github.com/sluice-cd/sluice/internal/sqlite"
	"github.com/sluice-cd/sluice/internal/step"
	"github.com/sluice-cd/sluice/internal/sweeptest"
)

// TestMain lets the test's own program be the account's agent.
func TestMain(m *testing.M) {
	if len(os.Args) > 4 && os.Args[1] == "local" && os.Args[2] == "agent" {
		if err := local.RunAgent(context.Background(), os.Args[4]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(sweeptest.Wrap(m).Run())
}

const database = `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: mongo-data, namespace: NAMESPACE}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Service
metadata: {name: mongo, namespace: NAMESPACE}
spec:
  selector: {app: mongo}
  ports: [{name: mongo, port: 27017, targetPort: 27017}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: mongo, namespace: NAMESPACE}
spec:
  serviceName: mongo
  replicas: 1
  selector: {matchLabels: {app: mongo}}
  template:
    metadata: {labels: {app: mongo}}
    spec:
      containers:
        - name: mongo
          image: IMAGE
          args: [--listen, "$(POD_IP):27017", --data, /data/db]
          ports: [{containerPort: 27017}]
          env: [{name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]
          readinessProbe: {tcpSocket: {port: 27017}, periodSeconds: 1}
          volumeMounts: [{name: data, mountPath: /data/db}]
      volumes: [{name: data, persistentVolumeClaim: {claimName: mongo-data}}]
`

var orders = sluice.Dataset{
	Name: "orders", Engine: "mongodb", Workload: "StatefulSet/mongo", Claims: []string{"mongo-data"},
	URI:        "mongodb://mongo:27017/shop",
	Invariants: []sluice.Invariant{{Name: "no order is lost", Count: "orders", AtLeast: &sluice.Bound{Baseline: true}}},
}

// A rig is everything real that data steps act on.
type rig struct {
	t       *testing.T
	dir     string
	account *local.Account
	store   sluice.Store
	steps   sluice.Steps
	results map[sluice.StepID]sluice.Result
	report  func(sluice.Progress)
}

func newRig(t *testing.T) *rig {
	t.Helper()
	dir := t.TempDir()
	images := map[string]local.Image{}
	for image, example := range map[string]string{"ferretdb:1.23.1": "ferretdb-1.23", "ferretdb:1.24.2": "ferretdb-1.24"} {
		binary, err := databasetest.Binary(t.Context(), example)
		if err != nil {
			t.Fatal(err)
		}
		images[image] = local.Image{Command: []string{binary}}
	}
	account, err := local.Dial(t.Context(), local.Config{Dir: filepath.Join(dir, "local"), Name: "local", Images: images})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := account.Down(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	store, err := sqlite.Open(t.Context(), filepath.Join(dir, "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	copies, err := kopia.Open(t.Context(), kopia.Options{
		Dir: filepath.Join(dir, "repository"), CacheDir: filepath.Join(dir, "cache"),
		Password: func(context.Context) (string, error) { return "sesame", nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(store.Close(), copies.Close(context.WithoutCancel(t.Context()))); err != nil {
			t.Error(err)
		}
	})
	steps := step.New(step.Deps{
		Accounts:  map[string]sluice.Account{"local": account.Abilities()},
		Movers:    map[string]sluice.Mover{"kopia": mover.Wrap(copies)},
		Databases: map[string]sluice.Databases{"mongodb": mongodb.New()}, Catalogue: store, MaskKey: []byte("mask key"),
	})
	return &rig{
		t: t, dir: filepath.Join(dir, "local"), account: account, store: store, steps: steps,
		results: map[sluice.StepID]sluice.Result{},
	}
}

// deploy runs a version of the database in the namespace until it is ready.
func (r *rig) deploy(namespace, image string) {
	r.t.Helper()
	text := strings.NewReplacer("NAMESPACE", namespace, "IMAGE", image).Replace(database)
	objects, found := manifest.Parse("database.yaml", []byte(text))
	if found.HasErrors() {
		r.t.Fatal(found)
	}
	for _, o := range manifest.Order(objects) {
		if _, _, err := r.account.Apply(r.t.Context(), o, false); err != nil {
			r.t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), 20*time.Second)
	defer cancel()
	for o, err := range r.account.Watch(ctx, "apps/v1", "StatefulSet", namespace) {
		if err != nil {
			r.t.Fatal(err)
		}
		if manifest.Status(o).Phase == manifest.Ready {
			return
		}
	}
	r.t.Fatal("the database did not become ready")
}

// shop calls use with the database of the namespace.
func (r *rig) shop(namespace string, use func(context.Context, *mongo.Database) error) {
	r.t.Helper()
	address, err := r.account.Address(r.t.Context(), namespace, "mongo", 27017)
	if err != nil {
		r.t.Fatal(err)
	}
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://" + address))
	if err != nil {
		r.t.Fatal(err)
	}
	if err := errors.Join(use(r.t.Context(), client.Database("shop")), client.Disconnect(r.t.Context())); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) seed(namespace string, n int) {
	r.t.Helper()
	r.shop(namespace, func(ctx context.Context, db *mongo.Database) error {
		list := make([]any, n)
		for i := range list {
			list[i] = bson.D{{Key: "_id", Value: fmt.Sprintf("order-%05d", i)}, {Key: "total", Value: int32(i)}}
		}
		_, err := db.Collection("orders").InsertMany(ctx, list)
		return err
	})
}

func (r *rig) count(namespace string) (n int64) {
	r.t.Helper()
	r.shop(namespace, func(ctx context.Context, db *mongo.Database) (err error) {
		n, err = db.Collection("orders").CountDocuments(ctx, bson.D{})
		return err
	})
	return n
}

func (r *rig) step(target, id string, spec sluice.StepSpec) sluice.Step {
	r.t.Helper()
	s, err := r.steps.New(sluice.StepContext{
		Deployment: "d1", Report: r.report, Plan: &sluice.Plan{Application: "shop"}, Results: r.results,
		Target: sluice.PlannedTarget{Name: target, Account: "local", Namespace: target},
		Step:   sluice.PlannedStep{ID: sluice.StepID(id), Target: target, StepSpec: spec},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// run checks and starts a step and keeps its result for later ones.
func (r *rig) run(target, id string, spec sluice.StepSpec) (sluice.Step, sluice.Progress, error) {
	r.t.Helper()
	began := time.Now()
	s := r.step(target, id, spec)
	preview, err := s.Check(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	p, err := s.Start(r.t.Context(), sluice.Progress{Snapshot: preview.Snapshot})
	for err == nil && p.State == sluice.Running {
		p, err = s.Observe(r.t.Context(), p)
	}
	p.Snapshot = preview.Snapshot
	if p.Result != nil {
		r.results[sluice.StepID(id)] = *p.Result
	}
	r.t.Logf("%s: %s %s (%v) in %s", id, p.State, p.Message, err, time.Since(began).Round(time.Millisecond))
	return s, p, err
}

func (r *rig) must(target, id string, spec sluice.StepSpec) (sluice.Step, sluice.Progress) {
	r.t.Helper()
	s, p, err := r.run(target, id, spec)
	if err != nil {
		r.t.Fatal(err)
	}
	return s, p
}

func checkpointing() sluice.StepSpec {
	spec := &sluice.CheckpointData{Dataset: "orders", Spec: orders}
	return sluice.StepSpec{Kind: sluice.KindCheckpointData, CheckpointData: spec}
}

func migrating() sluice.StepSpec {
	return sluice.StepSpec{Kind: sluice.KindMigrateData, MigrateData: &sluice.MigrateData{
		Dataset: "orders", From: "production", Spec: orders,
		Source: &sluice.Target{Account: "local", Namespace: "production"},
	}}
}

func verifying(mode string, from sluice.StepID) sluice.StepSpec {
	spec := &sluice.VerifyData{Dataset: "orders", Mode: mode, Spec: orders, From: from}
	return sluice.StepSpec{Kind: sluice.KindVerifyData, VerifyData: spec}
}

func restoring(allow *sluice.AllowDataLoss) sluice.StepSpec {
	return sluice.StepSpec{Kind: sluice.KindRestoreData, RestoreData: &sluice.RestoreData{
		Dataset: "orders", AllowDataLoss: allow, Spec: orders, From: "production/before/1",
	}}
}

// TestRehearsal is the way of a release: production's data into staging, the upgrade there, what it lost by name.
func TestRehearsal(t *testing.T) {
	r := newRig(t)
	r.deploy("production", "ferretdb:1.23.1")
	r.seed("production", 2000)
	migrate, p := r.must("staging", "staging/before/1", migrating())
	if n := r.count("staging"); n != 2000 {
		t.Fatalf("%d orders arrived", n)
	}
	r.deploy("staging", "ferretdb:1.24.2")
	r.must("staging", "staging/after/1", verifying("equal", "staging/before/1"))
	r.shop("staging", func(ctx context.Context, db *mongo.Database) error {
		lost := bson.D{{Key: "$in", Value: bson.A{"order-00007", "order-01234"}}}
		_, err := db.Collection("orders").DeleteMany(ctx, bson.D{{Key: "_id", Value: lost}})
		return err
	})
	_, lost, err := r.run("staging", "staging/after/2", verifying("equal", "staging/before/1"))
	if sluice.ErrorCode(err) != sluice.Failed || !strings.Contains(err.Error(), "order-00007") {
		t.Fatalf("two lost orders: %v", err)
	}
	found := lost.Result.Verification.Comparison.Collections
	if len(found) != 1 || found[0].Missing != 2 || !strings.Contains(fmt.Sprint(found[0].MissingKeys), "order-01234") {
		t.Errorf("found %+v", found)
	}
	if err := migrate.Undo(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"StatefulSet", "PersistentVolumeClaim", "Service"} {
		ref, err := sluice.ParseRef(kind+"/mongo", "staging")
		if kind == "PersistentVolumeClaim" {
			ref.Name = "mongo-data"
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.account.Get(t.Context(), ref); sluice.ErrorCode(err) != sluice.NotFound {
			t.Errorf("undo left %s: %v", ref, err)
		}
	}
	if n := r.count("production"); n != 2000 {
		t.Errorf("production has %d orders", n)
	}
	r.noScratch()
}

// TestPutBack is the way back: a release damages production, the checkpoint comes back, and nothing is lost for good.
func TestPutBack(t *testing.T) {
	r := newRig(t)
	r.deploy("production", "ferretdb:1.23.1")
	r.seed("production", 500)
	r.must("production", "production/before/1", checkpointing())
	r.shop("production", func(ctx context.Context, db *mongo.Database) error {
		if _, err := db.Collection("orders").DeleteOne(ctx, bson.D{{Key: "_id", Value: "order-00003"}}); err != nil {
			return err
		}
		_, err := db.Collection("orders").InsertOne(ctx, bson.D{{Key: "_id", Value: "order-new"}})
		return err
	})
	_, asked := r.must("production", "production/onRollback/1", restoring(nil))
	if asked.State != sluice.Waiting || !strings.Contains(asked.Message, "2 documents") {
		t.Fatalf("%s: %s", asked.State, asked.Message)
	}
	back, p := r.must("production", "production/onRollback/2", restoring(&sluice.AllowDataLoss{Writes: 2}))
	if n := r.count("production"); n != 500 || p.State != sluice.Done {
		t.Errorf("%d orders are back, %s: %s", n, p.State, p.Message)
	}
	kept, err := r.store.Checkpoint(t.Context(), p.Result.SavedAside)
	if err != nil || kept.Fingerprint.Collections[0].Count != 500 {
		t.Errorf("saved aside: %+v, %v", kept.Fingerprint, err)
	}
	r.noScratch()
	if err := back.Undo(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	r.shop("production", func(ctx context.Context, db *mongo.Database) error {
		return db.Collection("orders").FindOne(ctx, bson.D{{Key: "_id", Value: "order-new"}}).Err()
	})
}

// TestInterrupted: a migration that ends at any of the things it says it is doing is finished by the next start.
func TestInterrupted(t *testing.T) {
	r := newRig(t)
	r.deploy("production", "ferretdb:1.23.1")
	r.seed("production", 300)
	s := r.step("staging", "staging/before/1", migrating())
	preview, err := s.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := sluice.Progress{Snapshot: preview.Snapshot}
	seen := map[string]bool{}
	for interrupted := true; interrupted; {
		ctx, cancel := context.WithCancel(t.Context())
		r.report = func(p sluice.Progress) {
			if !seen[p.Message] {
				seen[p.Message] = true
				cancel()
			}
		}
		end, err := r.step("staging", "staging/before/1", migrating()).Start(ctx, p)
		interrupted = ctx.Err() != nil
		cancel()
		if !interrupted && (err != nil || end.State != sluice.Done) {
			t.Fatalf("the last start: %s, %v", end.State, err)
		}
		if interrupted && err == nil && end.State != sluice.Done {
			t.Fatalf("interrupted, but %s", end.State)
		}
	}
	if len(seen) < 5 {
		t.Errorf("interrupted only at %v", seen)
	}
	if n := r.count("staging"); n != 300 {
		t.Errorf("%d orders arrived", n)
	}
	r.noScratch()
	r.report = nil
	if err := r.step("staging", "staging/before/1", migrating()).Undo(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if pods, err := r.account.Pods(t.Context(), "staging"); err != nil || len(pods) > 0 {
		t.Errorf("undo left %v, %v", pods, err)
	}
}

// noScratch makes sure that no namespace or process of a scratch is left.
func (r *rig) noScratch() {
	r.t.Helper()
	pods, err := r.account.Pods(r.t.Context(), "")
	if err != nil {
		r.t.Fatal(err)
	}
	var left bytes.Buffer
	for _, p := range pods {
		if strings.Contains(p.Namespace, "-sluice-") {
			fmt.Fprintln(&left, p)
		}
	}
	if left.Len() > 0 {
		r.t.Errorf("left in scratch namespaces:\n%s", left.String())
	}
}
