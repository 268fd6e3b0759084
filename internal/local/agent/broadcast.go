package agent

import (
	"sync"

	"github.com/sluice-cd/sluice"
)

// A broadcast tells subscribers of changed objects. A slow subscriber misses states in between but never the last one,
// so its queue is never longer than the number of objects.
type broadcast struct {
	mu   sync.Mutex
	subs map[*subscription]bool
}

type subscription struct {
	match   func(key) bool
	mu      sync.Mutex
	pending map[string]sluice.Object // by uid
	order   []string
	wake    chan struct{}
}

func (b *broadcast) subscribe(match func(key) bool) *subscription {
	s := &subscription{match: match, pending: map[string]sluice.Object{}, wake: make(chan struct{}, 1)}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.subs == nil {
		b.subs = map[*subscription]bool{}
	}
	b.subs[s] = true
	return s
}

func (b *broadcast) unsubscribe(s *subscription) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.subs, s)
}

func (b *broadcast) send(o sluice.Object) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for s := range b.subs {
		if s.match(keyOf(o.Ref())) {
			s.add(o)
		}
	}
}

func (s *subscription) add(o sluice.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	uid := o.Text("metadata", "uid")
	if _, ok := s.pending[uid]; !ok {
		s.order = append(s.order, uid)
	}
	s.pending[uid] = o
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// take returns what has changed since it was last called.
func (s *subscription) take() []sluice.Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []sluice.Object
	for _, uid := range s.order {
		all = append(all, s.pending[uid])
	}
	clear(s.pending)
	s.order = nil
	return all
}
