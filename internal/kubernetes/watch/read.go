package watch

import (
	"context"
	"slices"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
)

// often are the kinds that a rollout reads again and again. They are watched once that is seen.
var often = []string{
	"Deployment", "StatefulSet", "DaemonSet", "Service", "HorizontalPodAutoscaler", "ResourceQuota",
}

// watchFrom is how many reads of a kind in a namespace within a linger make it watched.
const watchFrom = 3

// absencePatience bounds how long one waits for a watch that may be about to tell of an object, rather than ask for it.
const absencePatience = 500 * time.Millisecond

// A demand counts reads of a kind that is not watched.
type demand struct {
	reads  int
	last   time.Time
	denied time.Time // when the right to watch was missing
}

// Read returns the object, or NotFound: from the shared watch if that can tell, else as it is stored.
func (s *Informers) Read(ctx context.Context, o client.ObjectRef) (sluice.Object, error) {
	known, told := s.Known(ctx, o)
	switch {
	case !told:
		return s.ReadLive(ctx, o)
	case known == nil:
		return nil, absent(o)
	}
	return known, nil
}

func absent(o client.ObjectRef) error {
	return &sluice.Error{Code: sluice.NotFound, Op: "read " + o.String(), Message: "it does not exist"}
}

// Known returns the object as the shared watch knows it, nil if it knows that there is none. told is false if it cannot
// tell: because there is no watch, or because it does not follow. Like a read of what is stored, the answer may be old
// when it is used. A writer that decides by it must have the API server refuse what others have done since.
//
// What this process has written is in the watch at once. An object is missing only from a watch that has told
// everything up to the newest state of its kind that this process has read or written. So nothing that anybody could
// conclude from those states is contradicted.
func (s *Informers) Known(ctx context.Context, o client.ObjectRef) (known sluice.Object, told bool) {
	i := s.following(ctx, o.Resource, o.Namespace)
	if i == nil {
		return nil, false
	}
	namespace := o.Namespace
	if !o.Resource.Namespaced {
		namespace = ""
	}
	if known, told = i.stored(namespace, o.Name); known != nil || !told {
		return known, told
	}
	if !i.position.await(ctx, i.latest(), absencePatience) {
		return nil, false
	}
	return i.stored(namespace, o.Name)
}

// ReadLive returns the object as it is stored, and passes its state to those who watch it.
func (s *Informers) ReadLive(ctx context.Context, o client.ObjectRef) (sluice.Object, error) {
	live, err := s.client.Get(ctx, o)
	if err == nil {
		s.Saw(o.Resource, live)
	}
	return live, err
}

// list returns the objects of a kind in a namespace from the shared watch; false if it does not follow the changes.
func (s *Informers) list(
	ctx context.Context, r client.Resource, namespace string,
) (list []sluice.Object, follows bool) {
	i := s.following(ctx, r, namespace)
	if i == nil {
		return nil, false
	}
	return slices.Clone(i.cache.all()), true
}

// following returns the informer of the kind in the namespace if it follows the changes, nil otherwise. It waits for
// one that has just begun.
func (s *Informers) following(ctx context.Context, r client.Resource, namespace string) *informer {
	i := s.running(r, namespace)
	if i == nil || !i.position.await(ctx, 0, 0) {
		return nil
	}
	return i
}

// running returns the informer of the kind in the namespace, nil if there was none. Then it starts one if there should
// be one.
func (s *Informers) running(r client.Resource, namespace string) *informer {
	if !r.Namespaced {
		namespace = ""
	}
	key := informerKey{r.GroupVersionResource, namespace}
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.all[key]
	if !ok {
		if namespace != "" && slices.Contains(often, r.Kind) && s.isDemanded(key) {
			s.linger(key, s.start(r, key))
		}
		return nil
	}
	if i.users == 0 && i.timer != nil {
		i.timer.Reset(linger)
	}
	return i
}

// isDemanded counts a read, and reports whether the kind should be watched.
func (s *Informers) isDemanded(key informerKey) bool {
	d, ok := s.demands[key]
	if !ok {
		d = &demand{}
		s.demands[key] = d
	}
	if time.Since(d.last) > linger {
		d.reads = 0
	}
	d.reads, d.last = d.reads+1, time.Now()
	return d.reads >= watchFrom && time.Since(d.denied) > denialTime
}

// notes remembers how new the workloads and what they make are, as far as this process knows.
func (s *Informers) notes(r client.Resource, o sluice.Object) {
	if !isWorkload(r) && r.Kind != "Pod" && r.Kind != "ReplicaSet" {
		return
	}
	namespace := o.Text("metadata", "namespace")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written[namespace] = max(s.written[namespace], resourceVersion(o))
}

// listsOf returns the lists of the namespace, and how new they must be.
func (s *Informers) listsOf(namespace string) (*lists, uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.listsIn(namespace)
	version := s.written[namespace]
	for key, i := range s.all {
		if _, isOfWorkloads := i.source.(*workloads); isOfWorkloads && key.namespace == namespace {
			version = max(version, i.latest())
		}
	}
	return l, version
}

// listsIn returns the lists of the namespace. Its caller holds the lock.
func (s *Informers) listsIn(namespace string) *lists {
	l, ok := s.lists[namespace]
	if !ok {
		l = newLists(s.client, namespace)
		s.lists[namespace] = l
	}
	return l
}

// Expire says that objects of the namespace may be gone which the watches still tell of. Lists begin anew.
func (s *Informers) Expire(namespace string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l, ok := s.lists[namespace]; ok {
		l.expire()
	}
}
