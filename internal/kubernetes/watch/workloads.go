package watch

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
	"github.com/sluice-cd/sluice/internal/kubernetes/pod"
)

// workloads is the source of a kind whose objects do not say why their pods are not ready. It follows their pods too,
// and also the events, unless the objects themselves say why pods cannot be created.
type workloads struct {
	*objects
	replicaSets *replicaSets
	allPods     *listing[pod.Pod] // of the namespace

	mu       sync.Mutex                    // locked before the cache's
	all      map[string]*workload          // by namespace/Kind/name
	pods     map[string]map[string]replica // by namespace and owner, then by uid
	owners   map[string]string             // by uid of the pod: the key in pods
	failures map[string]creationFailure    // by uid of the workload
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

func newWorkloads(o *objects, sets *replicaSets, pods *listing[pod.Pod]) *workloads {
	return &workloads{
		objects: o, replicaSets: sets, allPods: pods, all: map[string]*workload{}, pods: map[string]map[string]replica{},
		owners: map[string]string{}, failures: map[string]creationFailure{},
	}
}

// run follows the workloads, their pods and events. The rights to see the latter two may be missing.
func (s *workloads) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.reflect(ctx, s) })
	g.Go(func() error { return unlessDenied(ctx, s.allPods.follow(ctx, (*podStore)(s))) })
	if s.resource.Kind != "Deployment" {
		g.Go(func() error {
			f := reflector[creationFailure]{
				client: s.client, op: "watch events", path: client.Path("v1", s.namespace, "events"),
				query: creationFailures(""), store: (*failureStore)(s), position: newPosition(),
			}
			return unlessDenied(ctx, f.run(ctx))
		})
	}
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

func keyOf(o sluice.Object) string {
	return o.Text("metadata", "namespace") + "/" + o.Text("kind") + "/" + o.Text("metadata", "name")
}

func (s *workloads) replace(items []sluice.Object, version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	present := map[string]bool{}
	for i := range items {
		items[i] = s.take(items[i])
		present[keyOf(items[i])] = true
	}
	listed := numeric(version)
	for key, w := range s.all {
		if v := resourceVersion(w.object); !present[key] && (v == 0 || v <= listed) {
			w.stop()
			delete(s.all, key)
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
	o = s.trim(o)
	if w, ok := s.all[keyOf(o)]; ok && w.object.Text("metadata", "uid") == o.Text("metadata", "uid") {
		w.stop()
		delete(s.all, keyOf(o))
	}
	delete(s.failures, o.Text("metadata", "uid"))
	s.objects.drop(o)
}

// take keeps the workload, unless a later state of it is known, and returns it with its condition.
func (s *workloads) take(o sluice.Object) sluice.Object {
	written := lastWrite(o)
	o = s.trim(o)
	key := keyOf(o)
	w, ok := s.all[key]
	if !ok {
		w = &workload{}
		s.all[key] = w
	}
	if v := resourceVersion(o); ok && v != 0 && v <= resourceVersion(w.object) {
		return w.condition.on(w.object)
	}
	w.object, w.written = o, written
	s.diagnose(key, w)
	return w.condition.on(o)
}

// diagnose finds out why the workload waits, and plans to do so again if the passing of time may change that.
func (s *workloads) diagnose(key string, w *workload) {
	d := diagnosis{
		workload: w.object, now: time.Now(), refusal: s.failures[w.object.Text("metadata", "uid")].since(w.written),
		isCurrent: func(r replica) bool { return s.isCurrent(key, w, r) },
	}
	for _, r := range s.pods[key] {
		d.replicas = append(d.replicas, r)
	}
	var again time.Duration
	w.condition, again = d.condition()
	w.stop()
	if again > 0 {
		w.timer = time.AfterFunc(again+time.Millisecond, func() { s.reconsider(key) })
	}
}

// readTimeout bounds the reading of one ReplicaSet. The next change of the pod asks again.
const readTimeout = 10 * time.Second

// isCurrent answers for Deployments from memory. If the ReplicaSet is not known, it answers no and reads it.
func (s *workloads) isCurrent(key string, w *workload, r replica) bool {
	if s.resource.Kind != "Deployment" {
		return isOfRevision(w.object, r)
	}
	if !s.replicaSets.has(r.ownerUID) {
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
			defer cancel()
			if _, err := s.replicaSets.read(ctx, r); err == nil && s.replicaSets.has(r.ownerUID) {
				s.reconsider(key)
			}
		}()
		return false
	}
	current, err := s.replicaSets.isCurrent(context.Background(), w.object, r)
	return current && err == nil
}

// reconsider passes the workload on again if its condition has changed.
func (s *workloads) reconsider(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.update(key)
}

// update is reconsider with the lock held.
func (s *workloads) update(key string) {
	w, ok := s.all[key]
	if !ok {
		return
	}
	before := w.condition
	s.diagnose(key, w)
	if w.condition != before {
		s.renew(key)
	}
}

// renew passes the workload on again.
func (s *workloads) renew(key string) {
	w, ok := s.all[key]
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
	s.pods, s.owners = map[string]map[string]replica{}, map[string]string{}
	for i := range items {
		s.addPod(replicaOf(&items[i]), before)
	}
	for key := range s.all {
		s.update(key)
	}
	for key, pods := range s.pods {
		for uid, r := range pods {
			if r.isWorse(before[key][uid]) {
				s.renew(key)
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
	before := s.pods[r.key()][r.uid]
	key := s.addPod(r, s.pods)
	s.update(key)
	if r.isWorse(before) { // which the workload's own status need not show
		s.renew(key)
	}
}

func (p *podStore) drop(item pod.Pod) {
	s := (*workloads)(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	key, ok := s.owners[item.Metadata.UID]
	if !ok {
		return
	}
	delete(s.owners, item.Metadata.UID)
	delete(s.pods[key], item.Metadata.UID)
	if len(s.pods[key]) == 0 {
		delete(s.pods, key)
	}
	s.update(key)
}

// addPod keeps the pod and the earlier knowledge of its wait. It returns the key of its workload.
func (s *workloads) addPod(r replica, before map[string]map[string]replica) string {
	key := r.key()
	r.wait = r.wait.after(before[key][r.uid].wait, time.Now())
	if s.pods[key] == nil {
		s.pods[key] = map[string]replica{}
	}
	s.pods[key][r.uid] = r
	s.owners[r.uid] = key
	return key
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
	for key := range s.all {
		s.update(key)
	}
}

func (f *failureStore) set(item creationFailure) {
	s := (*workloads)(f)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addFailure(item)
	for key, w := range s.all {
		if w.object.Text("metadata", "uid") == item.Object.UID {
			s.update(key)
		}
	}
}

// drop keeps the failure. The API server forgets events after a while, although nothing may have changed.
func (f *failureStore) drop(creationFailure) {}

func (s *workloads) addFailure(item creationFailure) {
	if item.Object.Kind == s.resource.Kind && item.isLater(s.failures[item.Object.UID]) {
		s.failures[item.Object.UID] = item
	}
}
