package step_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step"
)

// A world is an account, a mover, a database server and a catalogue that share one memory. It can die: from the
// nth call on, every call finds its context cancelled, either before it takes effect or after.
type world struct {
	sluice.Account // nil: what data steps do not call

	t  *testing.T
	mu sync.Mutex

	objects   map[sluice.Ref]sluice.Object
	volumes   map[string]*claim // namespace/claim
	copies    map[sluice.CheckpointID][]documents
	catalogue map[sluice.CheckpointID]sluice.Checkpoint
	execs     []string
	listeners map[string]net.Listener
	now       time.Time
	clinging  sluice.CheckpointID           // whose copy cannot be deleted
	damage    bool                          // masking loses a document
	plan      []sluice.PlannedStep          // what the deployments of steps do besides
	traffic   func(namespace, claim string) // what users do whenever the database becomes ready in a namespace

	calls  int
	dieAt  int // 0: never
	after  bool
	cancel context.CancelFunc
}

// documents are what a volume holds: the orders of a shop, by key.
type documents map[string]string

type claim struct {
	current     string
	generations map[string]documents
}

func newWorld(t *testing.T) *world {
	w := &world{
		t: t, objects: map[sluice.Ref]sluice.Object{}, volumes: map[string]*claim{}, copies: map[sluice.CheckpointID][]documents{},
		catalogue: map[sluice.CheckpointID]sluice.Checkpoint{}, listeners: map[string]net.Listener{},
		now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	t.Cleanup(func() {
		for _, l := range w.listeners {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return w
}

// effect runs change unless the caller is dead.
func (w *world) effect(ctx context.Context, change func() error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls++
	if w.dieAt > 0 && w.calls == w.dieAt && !w.after {
		w.cancel()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	err := change()
	if w.dieAt > 0 && w.calls == w.dieAt && w.after {
		w.cancel()
		return ctx.Err()
	}
	return err
}

func missing(what any) error { return sluice.Errorf(sluice.NotFound, "there is no %v", what) }

// Get implements sluice.Cluster.
func (w *world) Get(ctx context.Context, ref sluice.Ref) (o sluice.Object, err error) {
	err = w.effect(ctx, func() error {
		if o = w.shown(ref); o == nil {
			return missing(ref)
		}
		return nil
	})
	return o, err
}

// shown returns the object with its status, as an account would.
func (w *world) shown(ref sluice.Ref) sluice.Object {
	stored := w.objects[ref]
	if stored == nil {
		return nil
	}
	o := stored.Clone()
	switch ref.Kind {
	case "PersistentVolumeClaim":
		o.Set(w.volumes[ref.Namespace+"/"+ref.Name].current, "spec", "volumeName")
	case "StatefulSet":
		n := int64(o.Number(1, "spec", "replicas"))
		o.Set(map[string]any{"replicas": n, "readyReplicas": n, "updatedReplicas": n, "availableReplicas": n, "currentReplicas": n}, "status")
	}
	return o
}

// Apply implements sluice.Cluster.
func (w *world) Apply(ctx context.Context, o sluice.Object, dryRun bool) (sluice.Object, sluice.Outcome, error) {
	ref := o.Ref()
	err := w.effect(ctx, func() error {
		if ref.Namespace != "" && w.objects[sluice.Ref{APIVersion: "v1", Kind: "Namespace", Name: ref.Namespace}] == nil {
			return missing("namespace " + ref.Namespace)
		}
		if dryRun {
			return nil
		}
		raw, err := json.Marshal(o)
		if err != nil {
			return err
		}
		var stored sluice.Object
		if err := json.Unmarshal(raw, &stored); err != nil {
			return err
		}
		w.objects[ref] = stored
		if ref.Kind == "PersistentVolumeClaim" {
			w.volume(ref.Namespace, ref.Name)
		}
		if ref.Kind == "StatefulSet" && w.traffic != nil {
			w.traffic(ref.Namespace, "mongo-data")
		}
		return nil
	})
	return o, sluice.Configured, err
}

func (w *world) volume(namespace, name string) *claim {
	c := w.volumes[namespace+"/"+name]
	if c == nil {
		c = &claim{current: "first", generations: map[string]documents{"first": {}}}
		w.volumes[namespace+"/"+name] = c
	}
	return c
}

// Delete implements sluice.Cluster.
func (w *world) Delete(ctx context.Context, ref sluice.Ref) error {
	return w.effect(ctx, func() error {
		delete(w.objects, ref)
		switch ref.Kind {
		case "PersistentVolumeClaim":
			delete(w.volumes, ref.Namespace+"/"+ref.Name)
		case "Namespace":
			maps.DeleteFunc(w.objects, func(r sluice.Ref, _ sluice.Object) bool { return r.Namespace == ref.Name })
			maps.DeleteFunc(w.volumes, func(k string, _ *claim) bool { return strings.HasPrefix(k, ref.Name+"/") })
		}
		return nil
	})
}

// Watch implements sluice.Cluster. Everything is ready at once here.
func (w *world) Watch(ctx context.Context, apiVersion, kind, namespace string) iter.Seq2[sluice.Object, error] {
	return func(yield func(sluice.Object, error) bool) {
		var found []sluice.Object
		err := w.effect(ctx, func() error {
			for ref := range w.objects {
				if ref.APIVersion == apiVersion && ref.Kind == kind && ref.Namespace == namespace {
					found = append(found, w.shown(ref))
				}
			}
			return nil
		})
		if err != nil {
			yield(nil, err)
			return
		}
		for _, o := range found {
			if !yield(o, nil) {
				return
			}
		}
		<-ctx.Done()
	}
}

// Pods implements sluice.Host.
func (w *world) Pods(ctx context.Context, namespace string) (pods []sluice.Pod, err error) {
	err = w.effect(ctx, func() error {
		if w.running(namespace) {
			pods = []sluice.Pod{{Namespace: namespace, Name: "mongo-0", Owner: "StatefulSet/mongo", Ready: true}}
		}
		return nil
	})
	return pods, err
}

func (w *world) running(namespace string) bool {
	o := w.objects[mongoRef(namespace)]
	return o != nil && o.Number(1, "spec", "replicas") > 0
}

func mongoRef(namespace string) sluice.Ref {
	return sluice.Ref{APIVersion: "apps/v1", Kind: "StatefulSet", Namespace: namespace, Name: "mongo"}
}

// Logs implements sluice.Host.
func (w *world) Logs(context.Context, string, string, int) ([]string, error) { return nil, nil }

// Exec implements sluice.Host.
func (w *world) Exec(ctx context.Context, _, pod string, command []string) (string, error) {
	return "", w.effect(ctx, func() error {
		w.execs = append(w.execs, pod+": "+strings.Join(command, " "))
		return nil
	})
}

// Address implements sluice.Host: every namespace has a listener that says which one it is.
func (w *world) Address(ctx context.Context, namespace, service string, port int) (address string, err error) {
	err = w.effect(ctx, func() error {
		if service != "mongo" || port != 27017 || w.objects[sluice.Ref{APIVersion: "v1", Kind: "Service", Namespace: namespace, Name: service}] == nil {
			return missing(fmt.Sprintf("Service/%s:%d in %s", service, port, namespace))
		}
		if w.listeners[namespace] == nil {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			w.listeners[namespace] = l
			go tell(l, namespace)
		}
		address = w.listeners[namespace].Addr().String()
		return nil
	})
	return address, err
}

func tell(l net.Listener, namespace string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = io.WriteString(c, namespace)
		_ = c.Close()
	}
}

// Restore implements sluice.Cluster.
func (w *world) Restore(ctx context.Context, was sluice.Object, dryRun bool) (sluice.Object, sluice.Outcome, error) {
	return w.Apply(ctx, was, dryRun)
}

// Follow implements sluice.Cluster.
func (w *world) Follow(ctx context.Context, ref sluice.Ref) iter.Seq2[sluice.Object, error] {
	return func(yield func(sluice.Object, error) bool) {
		for o, err := range w.Watch(ctx, ref.APIVersion, ref.Kind, ref.Namespace) {
			if (err != nil || o.Text("metadata", "name") == ref.Name) && !yield(o, err) {
				return
			}
		}
	}
}

// Cut implements sluice.Volumes.
func (w *world) Cut(ctx context.Context, namespace string, claims []string, generation string, _ time.Duration) (cut sluice.Cut, err error) {
	err = w.effect(ctx, func() error {
		cut = sluice.Cut{At: w.now, Pause: time.Millisecond}
		for _, name := range claims {
			c := w.volumes[namespace+"/"+name]
			if c == nil {
				return missing("claim " + name)
			}
			if c.generations[generation] == nil {
				c.generations[generation] = maps.Clone(c.generations[c.current])
			}
			cut.Volumes = append(cut.Volumes, sluice.Volume{Namespace: namespace, Claim: name, Generation: generation, Dir: "here"})
		}
		return nil
	})
	return cut, err
}

// Stage implements sluice.Volumes.
func (w *world) Stage(ctx context.Context, namespace, name, generation string) (sluice.Volume, error) {
	v := sluice.Volume{Namespace: namespace, Claim: name, Generation: generation, Dir: "here"}
	return v, w.effect(ctx, func() error {
		c := w.volumes[namespace+"/"+name]
		if c == nil {
			c = &claim{generations: map[string]documents{}}
			w.volumes[namespace+"/"+name] = c
		}
		if c.generations[generation] == nil {
			c.generations[generation] = documents{}
		}
		return nil
	})
}

// Use implements sluice.Volumes.
func (w *world) Use(ctx context.Context, namespace, name, generation string) (before string, err error) {
	err = w.effect(ctx, func() error {
		c := w.volumes[namespace+"/"+name]
		if c == nil || c.generations[generation] == nil {
			return missing("generation " + generation)
		}
		before = c.current
		if before != generation && w.running(namespace) {
			return sluice.Errorf(sluice.Conflict, "a pod uses the claim")
		}
		c.current = generation
		return nil
	})
	return before, err
}

// Discard implements sluice.Volumes.
func (w *world) Discard(ctx context.Context, namespace, name, generation string) error {
	return w.effect(ctx, func() error {
		c := w.volumes[namespace+"/"+name]
		if c == nil {
			return nil
		}
		if c.current == generation {
			return sluice.Errorf(sluice.Conflict, "the generation is the current one")
		}
		delete(c.generations, generation)
		if len(c.generations) == 0 {
			delete(w.volumes, namespace+"/"+name)
		}
		return nil
	})
}

// state describes the world without what may differ: what is recorded in the catalogue is listed by id alone.
func (w *world) state() map[string]string {
	s := map[string]string{}
	for ref, o := range w.objects {
		raw, err := json.Marshal(o)
		if err != nil {
			w.t.Fatal(err)
		}
		s["object "+ref.Namespace+" "+ref.String()] = string(raw)
	}
	for name, c := range w.volumes {
		s["claim "+name] = fmt.Sprintf("current %s of %v", c.current, c.generations)
	}
	return s
}

// records lists what the catalogue and the mover keep.
func (w *world) records() map[string]string {
	s := map[string]string{}
	for id, c := range w.catalogue {
		s["checkpoint "+string(id)] = fmt.Sprint(c.Image, " ", c.Copy.Snapshots, " ", documentsOf(c.Fingerprint))
	}
	for id, list := range w.copies {
		s["copy "+string(id)] = fmt.Sprint(list)
	}
	return s
}

func documentsOf(f sluice.Fingerprint) (n int64) {
	for _, c := range f.Collections {
		n += c.Count
	}
	return n
}

type secrets map[string]string

func (s secrets) Secret(_ context.Context, name string) (string, error) { return s[name], nil }

// reversing seals by writing backwards.
type reversing struct{}

func (reversing) Seal(s string) (string, error) {
	r := []rune(s)
	slices.Reverse(r)
	return "~" + string(r), nil
}

func (r reversing) Open(s string) (string, error) {
	backwards, ok := strings.CutPrefix(s, "~")
	if !ok {
		return "", sluice.Errorf(sluice.Denied, "not sealed")
	}
	plain, err := r.Seal(backwards)
	return plain[1:], err
}

func (w *world) abilities() sluice.Account {
	return sluice.Account{ClusterReader: w, ClusterWriter: w, Host: w, Network: w, Shifter: w, Volumes: w}
}

func (w *world) steps() sluice.Steps {
	return step.New(step.Deps{
		Accounts: map[string]sluice.Account{"local": w.abilities()}, Movers: map[string]sluice.Mover{"kopia": fakeMover{w}},
		Databases: map[string]sluice.Databases{"mongodb": fakeDatabases{w}}, Catalogue: w,
		MaskKey: []byte("mask key"), Secrets: secrets{"password": "sesame"}, Sealer: reversing{}, Now: func() time.Time { return w.now },
	})
}

// deploy puts a database with its surroundings and these documents into a namespace.
func (w *world) deploy(namespace, image string, content documents) {
	put := func(o sluice.Object) {
		o.Set(namespace, "metadata", "namespace")
		if _, _, err := w.Apply(w.t.Context(), o, false); err != nil {
			w.t.Fatal(err)
		}
	}
	w.objects[sluice.Ref{APIVersion: "v1", Kind: "Namespace", Name: namespace}] = sluice.Object{"apiVersion": "v1", "kind": "Namespace"}
	put(sluice.Object{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": map[string]any{"name": "mongo-data"},
		"spec": map[string]any{"accessModes": []any{"ReadWriteOnce"}}})
	put(sluice.Object{"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": "mongo"},
		"spec": map[string]any{"clusterIP": "10.0.0.1", "ports": []any{map[string]any{"port": int64(27017)}}}})
	put(sluice.Object{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "login"}, "data": map[string]any{"password": "c2VzYW1l"}})
	put(sluice.Object{"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": map[string]any{"name": "mongo"},
		"spec": map[string]any{"replicas": int64(1), "template": map[string]any{"spec": map[string]any{"containers": []any{map[string]any{
			"name": "mongo", "image": image,
			"env": []any{map[string]any{"name": "P", "valueFrom": map[string]any{"secretKeyRef": map[string]any{"name": "login", "key": "password"}}}},
		}}}}}})
	c := w.volume(namespace, "mongo-data")
	c.generations[c.current] = content
}

// live returns the documents that users of the namespace see.
func (w *world) live(namespace string) documents {
	c := w.volumes[namespace+"/mongo-data"]
	return c.generations[c.current]
}

var orders = sluice.Dataset{
	Name: "orders", Engine: "mongodb", Workload: "StatefulSet/mongo", Claims: []string{"mongo-data"},
	URI:        "mongodb://shop:{{secrets.password}}@mongo.prod:27017/shop",
	Invariants: []sluice.Invariant{{Name: "none lost", Count: "orders", AtLeast: &sluice.Bound{Baseline: true}}},
}

func (w *world) step(deployment sluice.DeploymentID, target string, spec sluice.StepSpec, results map[sluice.StepID]sluice.Result) sluice.Step {
	w.t.Helper()
	plan := &sluice.Plan{Application: "shop", Steps: w.plan}
	s, err := w.steps().New(sluice.StepContext{
		Deployment: deployment, Plan: plan, Results: results, Target: sluice.PlannedTarget{Name: target, Account: "local", Namespace: target},
		Step: sluice.PlannedStep{ID: sluice.StepID(target + "/before/1"), Target: target, StepSpec: spec},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func checkpointing(keep int) sluice.StepSpec {
	return sluice.StepSpec{Kind: sluice.KindCheckpointData, CheckpointData: &sluice.CheckpointData{Dataset: "orders", Keep: keep, Spec: orders}}
}

func migrating() sluice.StepSpec {
	return sluice.StepSpec{Kind: sluice.KindMigrateData, MigrateData: &sluice.MigrateData{
		Dataset: "orders", From: "prod", Source: &sluice.Target{Name: "prod", Account: "local", Namespace: "prod"}, Spec: orders,
	}}
}

func maskedMigrating() sluice.StepSpec {
	spec := migrating()
	spec.MigrateData.Mask = sluice.Mask{"orders.value": "hash", "orders.kept": "keep"}
	return spec
}

func verifying(mode string, ignore ...string) sluice.StepSpec {
	return sluice.StepSpec{Kind: sluice.KindVerifyData, VerifyData: &sluice.VerifyData{
		Dataset: "orders", Baseline: "checkpoint", Mode: mode, Ignore: ignore, Spec: orders, From: "prod/before/0",
	}}
}

func restoring(allow *sluice.AllowDataLoss) sluice.StepSpec {
	return sluice.StepSpec{Kind: sluice.KindRestoreData, RestoreData: &sluice.RestoreData{
		Dataset: "orders", AllowDataLoss: allow, Spec: orders, From: "prod/before/0",
	}}
}

// flat writes an object for looking something up in it.
func (w *world) flat(o sluice.Object) string {
	raw, err := json.Marshal(o)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(raw)
}

// A fork is a world's content at one time.
type fork struct {
	objects   map[sluice.Ref]sluice.Object
	volumes   map[string]*claim
	copies    map[sluice.CheckpointID][]documents
	catalogue map[sluice.CheckpointID]sluice.Checkpoint
}

func (w *world) fork(t *testing.T) fork {
	t.Helper()
	f := fork{maps.Clone(w.objects), map[string]*claim{}, maps.Clone(w.copies), maps.Clone(w.catalogue)}
	for k, c := range w.volumes {
		own := &claim{current: c.current, generations: map[string]documents{}}
		for g, d := range c.generations {
			own.generations[g] = maps.Clone(d)
		}
		f.volumes[k] = own
	}
	return f
}

func (w *world) restore(f fork) {
	w.objects, w.volumes, w.copies, w.catalogue = f.objects, f.volumes, f.copies, f.catalogue
}
