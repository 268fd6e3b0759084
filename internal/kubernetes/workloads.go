package kubernetes

import (
	"context"
	"net/url"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-cd/sluice"
)

// workloads is the store of a kind whose objects do not say themselves why they are not ready: it follows their
// pods, and for kinds that do not tell of pods that cannot be created, the events.
type workloads struct {
	*objects

	mu     sync.Mutex                    // before the topic's
	all    map[string]*workload          // by namespace/Kind/name
	pods   map[string]map[string]replica // by namespace and owner, then by uid
	owners map[string]string             // of each pod uid the key in pods
	events map[string]creationEvent      // by uid of the workload
}

// A workload is what is known of one.
type workload struct {
	object  sluice.Object
	written time.Time // when somebody last said what it is to be
	verdict verdict
	timer   *time.Timer
}

func isWorkload(r resource) bool {
	if r.Group == "batch" {
		return r.kind == "Job"
	}
	return r.Group == "apps" && slices.Contains([]string{"Deployment", "StatefulSet", "DaemonSet"}, r.kind)
}

func newWorkloads(o *objects) store {
	return &workloads{
		objects: o, all: map[string]*workload{}, pods: map[string]map[string]replica{}, owners: map[string]string{}, events: map[string]creationEvent{},
	}
}

// feed follows the workloads with their pods and events; rights to see the latter may be missing.
func (s *workloads) feed(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		f := feed[sluice.Object]{account: s.account, op: "watch " + s.resource.kind, path: s.resource.path(s.namespace), query: url.Values{}, sink: s}
		return f.run(ctx)
	})
	g.Go(func() error {
		f := feed[pod]{account: s.account, op: "watch pods", path: namespaced("v1", s.namespace, "pods"), query: url.Values{}, sink: (*podSink)(s)}
		return unlessDenied(ctx, f.run(ctx))
	})
	if s.resource.kind != "Deployment" {
		g.Go(func() error {
			f := feed[creationEvent]{account: s.account, op: "watch events", path: namespaced("v1", s.namespace, "events"), query: failedCreations(""), sink: (*eventSink)(s)}
			return unlessDenied(ctx, f.run(ctx))
		})
	}
	err := g.Wait()
	s.stopTimers()
	return err
}

// unlessDenied waits for the end where a right is missing without which one can do.
func unlessDenied(ctx context.Context, err error) error {
	if sluice.ErrorCode(err) != sluice.Denied {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

func (s *workloads) stopTimers() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.all {
		w.stop()
	}
	clear(s.all)
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

func (r replica) key() string { return r.namespace + "/" + r.owner }

func (s *workloads) replace(items []sluice.Object, version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	present := map[string]bool{}
	for i := range items {
		items[i] = s.take(items[i])
		present[keyOf(items[i])] = true
	}
	for key, w := range s.all {
		if !present[key] && isOlder(w.object, version) {
			w.stop()
			delete(s.all, key)
		}
	}
	s.topic.mu.Lock()
	defer s.topic.mu.Unlock()
	s.topic.replace(items, version)
}

func (s *workloads) set(o sluice.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o = s.take(o)
	s.topic.mu.Lock()
	defer s.topic.mu.Unlock()
	s.topic.set(o)
}

func (s *workloads) drop(o sluice.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o = s.lean(o)
	if w, ok := s.all[keyOf(o)]; ok && w.object.Text("metadata", "uid") == o.Text("metadata", "uid") {
		w.stop()
		delete(s.all, keyOf(o))
	}
	delete(s.events, o.Text("metadata", "uid"))
	s.objects.drop(o)
}

// take keeps the workload, unless a later state of it is known, and returns it as it is told of.
func (s *workloads) take(o sluice.Object) sluice.Object {
	written := lastWrite(o)
	o = s.lean(o)
	key := keyOf(o)
	w, ok := s.all[key]
	if !ok {
		w = &workload{}
		s.all[key] = w
	}
	if ok && version(o) != 0 && version(o) <= version(w.object) {
		return w.verdict.on(w.object)
	}
	w.object, w.written = o, written
	s.judge(key, w)
	return w.verdict.on(o)
}

// judge finds out why the workload waits, and again when that may have changed with time.
func (s *workloads) judge(key string, w *workload) {
	q := inquest{
		workload: w.object, now: time.Now(), refusal: s.events[w.object.Text("metadata", "uid")].refusal(w.written),
		isCurrent: func(r replica) bool { return s.isCurrent(key, w, r) },
	}
	for _, r := range s.pods[key] {
		q.replicas = append(q.replicas, r)
	}
	var again time.Duration
	w.verdict, again = q.hold()
	w.stop()
	if again > 0 {
		w.timer = time.AfterFunc(again+time.Millisecond, func() { s.reconsider(key) })
	}
}

// isCurrent answers for Deployments from what is remembered, or asks and answers no until that is known.
func (s *workloads) isCurrent(key string, w *workload, r replica) bool {
	if s.resource.kind != "Deployment" {
		return isOfRevision(w.object, r)
	}
	sets := s.account.replicaSets
	if !sets.has(r.ownerUID) {
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), glance)
			defer cancel()
			if _, err := sets.read(ctx, r); err == nil && sets.has(r.ownerUID) {
				s.reconsider(key)
			}
		}()
		return false
	}
	current, err := sets.isCurrent(context.Background(), w.object, r)
	return current && err == nil
}

// glance bounds the reading of one revision; the next change of the pod asks again.
const glance = 10 * time.Second

// reconsider tells of the workload again if its pods say something else now.
func (s *workloads) reconsider(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rejudge(key)
}

func (s *workloads) rejudge(key string) {
	w, ok := s.all[key]
	if !ok {
		return
	}
	before := w.verdict
	s.judge(key, w)
	if w.verdict == before {
		return
	}
	s.topic.mu.Lock()
	defer s.topic.mu.Unlock()
	s.topic.renew(w.verdict.on(w.object))
}

func isOlder(o sluice.Object, than string) bool {
	v := version(o)
	return v == 0 || v <= version(sluice.Object{"metadata": map[string]any{"resourceVersion": than}})
}
