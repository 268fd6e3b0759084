package watch

import (
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
)

// linger is how long a watch without listeners and readers waits for the next one.
const linger = 30 * time.Second

// Informers holds one informer for each watched kind and namespace, whatever the number of listeners. All readers and
// writers of objects report to it. It is safe for concurrent use.
type Informers struct {
	client  *client.Client
	mu      sync.Mutex
	all     map[informerKey]*informer
	lists   map[string]*lists // by namespace
	written map[string]uint64 // by namespace, the newest version that was read or written of what lists depend on
	demands map[informerKey]*demand
}

type informerKey struct {
	schema.GroupVersionResource
	namespace string
}

// An informer runs until its last listener has been gone for a while.
type informer struct {
	*cache
	position *position
	source   source
	users    int
	timer    *time.Timer // ends it after its last listener; nil: there is none yet
	end      context.CancelFunc
}

// A source fills a cache. It also takes Sluice's own writes, so that no watch that begins after a write sees the state
// before it.
type source interface {
	store[sluice.Object]
	run(ctx context.Context) error // until ctx ends or the API server is away
}

// NewInformers returns informers that must be closed. They contact the cluster when somebody watches.
func NewInformers(c *client.Client) *Informers {
	return &Informers{
		client: c, all: map[informerKey]*informer{}, lists: map[string]*lists{}, written: map[string]uint64{},
		demands: map[informerKey]*demand{},
	}
}

// Saw tells those who watch the object its state, which somebody read or wrote. The watch may deliver it later.
func (s *Informers) Saw(r client.Resource, o sluice.Object) {
	s.notes(r, o)
	for _, i := range s.of(r, o) {
		i.source.set(o.Clone())
	}
}

// Gone tells those who watch the object that it does not exist any more.
func (s *Informers) Gone(r client.Resource, o sluice.Object) {
	for _, i := range s.of(r, o) {
		i.markGone(o.Text("metadata", "uid"))
		i.source.drop(o.Clone())
	}
	s.Expire(o.Text("metadata", "namespace"))
}

// IsWatched reports whether anybody watches the object.
func (s *Informers) IsWatched(r client.Resource, o sluice.Object) bool { return len(s.of(r, o)) > 0 }

// join returns a listener to one object, or to all of a kind in a namespace if the reference has no name. The caller
// must call leave.
func (s *Informers) join(r client.Resource, of sluice.Ref) (l *listener, leave func()) {
	namespace := of.Namespace
	if !r.Namespaced {
		namespace = ""
	}
	key := informerKey{r.GroupVersionResource, namespace}
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.all[key]
	if !ok {
		i = s.start(r, key)
	}
	i.users++
	if i.timer != nil {
		i.timer.Stop()
	}
	l = i.join(of)
	return l, func() {
		i.leave(l)
		s.release(key, i)
	}
}

func (s *Informers) start(r client.Resource, key informerKey) *informer {
	ctx, cancel := context.WithCancel(context.Background())
	i := &informer{cache: newCache(), position: newPosition(), end: cancel}
	o := &objects{client: s.client, resource: r, namespace: key.namespace, cache: i.cache, position: i.position}
	i.source = o
	if isWorkload(r) {
		i.source = newWorkloads(o, s.listsIn(key.namespace))
	}
	s.all[key] = i
	i.position.pend()
	go func() {
		err := i.source.run(ctx)
		i.position.lose()
		s.mu.Lock()
		s.remove(key, i)
		if d, ok := s.demands[key]; ok && sluice.ErrorCode(err) == sluice.Denied {
			d.denied = time.Now()
		}
		s.mu.Unlock()
		if errors.Is(err, context.Canceled) {
			err = sluice.Errorf(sluice.Unavailable, "the watch has ended")
		}
		i.fail(err)
		cancel()
	}()
	return i
}

func (s *Informers) release(key informerKey, i *informer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i.users--
	if i.users == 0 {
		s.linger(key, i)
	}
}

// linger ends the informer if nobody uses it for a while.
func (s *Informers) linger(key informerKey, i *informer) {
	i.timer = time.AfterFunc(linger, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if i.users == 0 {
			s.remove(key, i) // before it has ended, so that nobody joins it meanwhile
			i.end()
		}
	})
}

func (s *Informers) remove(key informerKey, i *informer) {
	if s.all[key] == i {
		delete(s.all, key)
	}
}

// Close ends every watch.
func (s *Informers) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range s.all {
		i.end()
	}
	clear(s.all)
	for _, l := range s.lists {
		l.close()
	}
}

// of returns the informers to which the object belongs.
func (s *Informers) of(r client.Resource, o sluice.Object) []*informer {
	s.mu.Lock()
	defer s.mu.Unlock()
	namespaces := []string{""}
	if r.Namespaced {
		namespaces = append(namespaces, o.Text("metadata", "namespace"))
	}
	var list []*informer
	for _, namespace := range namespaces {
		if i, ok := s.all[informerKey{r.GroupVersionResource, namespace}]; ok {
			list = append(list, i)
		}
	}
	return list
}

// objects is the source of a kind whose objects are passed on as they are.
type objects struct {
	client    *client.Client
	resource  client.Resource
	namespace string
	cache     *cache
	position  *position // of the cache
}

func (s *objects) run(ctx context.Context) error { return s.reflect(ctx, s) }

// reflect keeps a store up to date with the objects.
func (s *objects) reflect(ctx context.Context, into store[sluice.Object]) error {
	f := reflector[sluice.Object]{
		client: s.client, op: "watch " + s.resource.Kind, path: s.resource.Path(s.namespace),
		version: versionOf, store: into, position: s.position,
	}
	return f.run(ctx)
}

func (s *objects) replace(items []sluice.Object, version string) {
	for i := range items {
		items[i] = s.trim(items[i])
	}
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	s.cache.replace(items, version)
}

func (s *objects) set(o sluice.Object) {
	o = s.trim(o)
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	s.cache.set(o)
}

func (s *objects) drop(o sluice.Object) {
	o = s.trim(o)
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	s.cache.remove(o)
}

// trim adds the kind, which lists leave out, and puts managedFields aside, which no listener needs.
func (s *objects) trim(o sluice.Object) sluice.Object {
	o["apiVersion"], o["kind"] = s.resource.GroupVersion().String(), s.resource.Kind
	s.cache.keep(o, takeFields(o))
	return o
}
