package watch

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
	"github.com/sluice-cd/sluice/internal/kubernetes/pod"
)

// workloads is the source of a kind whose objects do not say why their pods are not ready. It follows their pods too.
// It also follows what says why pods cannot be created: the ReplicaSets of Deployments, and events for other kinds.
type workloads struct {
	*objects
	lists *lists // of the namespace

	mu       sync.Mutex                 // locked before the cache's
	all      map[string]*workload       // by uid
	pods     groups[replica]            // by uid of the workload, or of a ReplicaSet that is not known
	sets     groups[replicaSet]         // by uid of the Deployment
	failures map[string]creationFailure // by uid of the workload
}

// A workload is one object with its condition.
type workload struct {
	object    sluice.Object
	written   time.Time // when its specification was last written
	condition condition
	timer     *time.Timer // of the next look at it
}

func isWorkload(r client.Resource) bool {
	if r.Group == "batch" {
		return r.Kind == "Job"
	}
	return r.Group == "apps" && slices.Contains([]string{"Deployment", "StatefulSet", "DaemonSet"}, r.Kind)
}

func newWorkloads(o *objects, l *lists) *workloads {
	return &workloads{
		objects: o, lists: l, all: map[string]*workload{}, pods: newGroups[replica](), sets: newGroups[replicaSet](),
		failures: map[string]creationFailure{},
	}
}

// run follows the workloads, their pods, and their ReplicaSets or events. The rights to see all but the workloads may
// be missing.
func (s *workloads) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.reflect(ctx, s) })
	g.Go(func() error { return unlessDenied(ctx, s.lists.pods.follow(ctx, (*podStore)(s))) })
	g.Go(func() error {
		if s.resource.Kind == "Deployment" {
			return unlessDenied(ctx, s.lists.replicaSets.follow(ctx, (*setStore)(s)))
		}
		f := reflector[creationFailure]{
			client: s.client, op: "watch events", path: client.Path("v1", s.namespace, "events"),
			query: creationFailures(""), version: func(f *creationFailure) string { return f.Metadata.ResourceVersion },
			store: (*failureStore)(s), position: newPosition(),
		}
		return unlessDenied(ctx, f.run(ctx))
	})
	err := g.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.all {
		w.stop()
	}
	clear(s.all)
	return err
}

// unlessDenied waits for the end if a dispensable right is missing.
func unlessDenied(ctx context.Context, err error) error {
	if sluice.ErrorCode(err) != sluice.Denied {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

func (w *workload) stop() {
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
}

func uidOf(o sluice.Object) string { return o.Text("metadata", "uid") }

func (s *workloads) replace(items []sluice.Object, version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	present := map[string]bool{}
	for i := range items {
		items[i] = s.take(items[i])
		present[uidOf(items[i])] = true
	}
	listed := numeric(version)
	for uid, w := range s.all {
		if v := resourceVersion(w.object); !present[uid] && (v == 0 || v <= listed) {
			w.stop()
			delete(s.all, uid)
		}
	}
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	s.cache.replace(items, version)
}

func (s *workloads) set(o sluice.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o = s.take(o)
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	s.cache.set(o)
}

func (s *workloads) drop(o sluice.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w, ok := s.all[uidOf(o)]; ok {
		w.stop()
		delete(s.all, uidOf(o))
	}
	delete(s.failures, uidOf(o))
	s.objects.drop(o)
}

// take keeps the workload, unless a later state of it is known, and returns it with its condition.
func (s *workloads) take(o sluice.Object) sluice.Object {
	written := lastWrite(o)
	o = s.trim(o)
	w, ok := s.all[uidOf(o)]
	if !ok {
		w = &workload{}
		s.all[uidOf(o)] = w
	}
	if v := resourceVersion(o); ok && v != 0 && v <= resourceVersion(w.object) {
		return w.condition.on(w.object)
	}
	w.object, w.written = o, written
	s.diagnose(w)
	return w.condition.on(o)
}

// diagnose finds out why the workload waits, and plans to do so again if the passing of time may change that.
func (s *workloads) diagnose(w *workload) {
	uid := uidOf(w.object)
	d := diagnosis{
		workload: w.object, now: time.Now(), replicas: slices.Collect(maps.Values(s.pods.items[uid])),
		sets: s.sets.items[uid], refusal: s.failures[uid].since(w.written),
	}
	var again time.Duration
	w.condition, again = d.condition()
	w.stop()
	if again > 0 {
		w.timer = time.AfterFunc(again+time.Millisecond, func() { s.reconsider(uid) })
	}
}

// reconsider passes the workload on again if its condition has changed.
func (s *workloads) reconsider(uid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.update(uid)
}

// update is reconsider with the lock held.
func (s *workloads) update(uid string) {
	w, ok := s.all[uid]
	if !ok {
		return
	}
	before := w.condition
	s.diagnose(w)
	if w.condition != before {
		s.renew(uid)
	}
}

// renew passes the workload on again.
func (s *workloads) renew(uid string) {
	w, ok := s.all[uid]
	if !ok {
		return
	}
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	s.cache.renew(w.condition.on(w.object))
}

// podStore takes the pods of the workloads.
type podStore workloads

func (p *podStore) replace(items []pod.Pod, _ string) {
	s := (*workloads)(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.pods
	s.pods = newGroups[replica]()
	for i := range items {
		r := replicaOf(&items[i])
		s.addPod(r, before.get(r.uid))
	}
	for uid := range s.all {
		s.update(uid)
	}
	for workload, pods := range s.pods.items {
		for uid, r := range pods {
			if r.isWorse(before.get(uid)) {
				s.renew(workload)
				break
			}
		}
	}
}

func (p *podStore) set(item pod.Pod) {
	s := (*workloads)(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	r := replicaOf(&item)
	before := s.pods.get(r.uid)
	workload := s.addPod(r, before)
	s.update(workload)
	if r.isWorse(before) { // which the workload's own status need not show
		s.renew(workload)
	}
}

func (p *podStore) drop(item pod.Pod) {
	s := (*workloads)(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	if workload, ok := s.pods.remove(item.Metadata.UID); ok {
		s.update(workload)
	}
}

// addPod keeps the pod and the earlier knowledge of its wait. It returns the uid of its workload.
func (s *workloads) addPod(r, before replica) string {
	r.wait = r.wait.after(before.wait, time.Now())
	workload := s.workloadOf(r.controller)
	s.pods.put(workload, r.uid, r)
	return workload
}

// failureStore takes the events of pods that cannot be created.
type failureStore workloads

var _ store[creationFailure] = (*failureStore)(nil)

func (f *failureStore) replace(items []creationFailure, _ string) {
	s := (*workloads)(f)
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.failures)
	for _, item := range items {
		s.addFailure(item)
	}
	for uid := range s.all {
		s.update(uid)
	}
}

func (f *failureStore) set(item creationFailure) {
	s := (*workloads)(f)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addFailure(item)
	s.update(item.Object.UID)
}

// drop keeps the failure. The API server forgets events after a while, although nothing may have changed.
func (f *failureStore) drop(creationFailure) {}

func (s *workloads) addFailure(item creationFailure) {
	if item.Object.Kind == s.resource.Kind && item.isLater(s.failures[item.Object.UID]) {
		s.failures[item.Object.UID] = item
	}
}
