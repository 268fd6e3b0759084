package kubernetes

import (
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/sluice-cd/sluice"
)

// grace is how long a topic that nobody watches is kept up for the next watcher.
const grace = 5 * time.Second

// A hub holds the topics that somebody watches: one connection to the API server for each kind and namespace,
// whatever the number of watchers.
type hub struct {
	account *Account
	mu      sync.Mutex
	topics  map[topicKey]*shared
}

type topicKey struct {
	schema.GroupVersionResource
	namespace string
}

// A shared topic is fed until its last watcher has been gone for the grace.
type shared struct {
	*topic
	store  store
	users  int
	linger *time.Timer
	end    context.CancelFunc
}

// A store keeps what a topic tells of. It is told of Sluice's own writes, so that nobody who watches after a write
// sees the state of before.
type store interface {
	sink[sluice.Object]
	feed(ctx context.Context) error // until ctx ends or the API server is away
}

func newHub(a *Account) *hub { return &hub{account: a, topics: map[topicKey]*shared{}} }

// join returns a watcher of the kind in the namespace; leave must be called.
func (h *hub) join(r resource, namespace, name string) (w *watcher, leave func()) {
	if !r.namespaced {
		namespace = ""
	}
	key := topicKey{r.GroupVersionResource, namespace}
	h.mu.Lock()
	defer h.mu.Unlock()
	s, ok := h.topics[key]
	if !ok {
		s = h.start(r, key)
	}
	s.users++
	if s.linger != nil {
		s.linger.Stop()
	}
	w = s.join(name)
	return w, func() {
		s.leave(w)
		h.release(s)
	}
}

func (h *hub) start(r resource, key topicKey) *shared {
	ctx, cancel := context.WithCancel(context.Background())
	s := &shared{topic: newTopic(), end: cancel}
	s.store = h.account.storeFor(r, key.namespace, s.topic)
	h.topics[key] = s
	go func() {
		err := s.store.feed(ctx)
		h.mu.Lock()
		if h.topics[key] == s {
			delete(h.topics, key)
		}
		h.mu.Unlock()
		if errors.Is(err, context.Canceled) {
			err = sluice.Errorf(sluice.Unavailable, "the watch has ended")
		}
		s.fail(err)
		cancel()
	}()
	return s
}

func (h *hub) release(s *shared) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.users--
	if s.users > 0 {
		return
	}
	s.linger = time.AfterFunc(grace, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if s.users == 0 {
			h.drop(s)
		}
	})
}

// drop takes the topic away before its feed has ended, so that nobody joins what is ending.
func (h *hub) drop(s *shared) {
	for key, other := range h.topics {
		if other == s {
			delete(h.topics, key)
		}
	}
	s.end()
}

// close ends every topic.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.topics {
		s.end()
	}
	clear(h.topics)
}

// of returns the topics that the object belongs to.
func (h *hub) of(r resource, o sluice.Object) []*shared {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []*shared
	namespaces := []string{""}
	if r.namespaced {
		namespaces = append(namespaces, o.Text("metadata", "namespace"))
	}
	for _, namespace := range namespaces {
		if s, ok := h.topics[topicKey{r.GroupVersionResource, namespace}]; ok {
			list = append(list, s)
		}
	}
	return list
}

// follows reports whether anybody watches the object.
func (h *hub) follows(r resource, o sluice.Object) bool { return len(h.of(r, o)) > 0 }

// saw hands over a state that was read or written, which the watch may not have told of yet.
func (h *hub) saw(r resource, o sluice.Object) {
	for _, s := range h.of(r, o) {
		s.store.set(o.Clone())
	}
}

// gone hands over that the object does not exist any more.
func (h *hub) gone(r resource, o sluice.Object) {
	for _, s := range h.of(r, o) {
		s.bury(o.Text("metadata", "uid"))
		s.store.drop(o.Clone())
	}
}
