package watch

import (
	"context"
	"sync"
	"time"

	"github.com/sluice-cd/sluice/internal/kubernetes/pod"
)

// A listing answers those who list one kind in one namespace. The first list is a request of its own. From the second
// one on, a shared watch keeps the objects, if it may. Whenever it is not known to be as new as the caller needs, the
// objects are listed again, once for all who wait.
type listing[T any] struct {
	reflector reflector[T] // without a store: how to ask
	identify  func(*T) identity

	turn   sync.Mutex // held while a list runs
	mu     sync.Mutex
	items  map[string]*T // by namespace and name
	all    []*T          // the same, nil if they changed; nobody changes the slice
	known  uint64        // the version up to which items has everything
	took   time.Duration // the last list
	next   *round[T]     // nil: nobody waits for a list that has not begun
	calls  int
	feed   *feed[T]  // nil: there is no watch
	denied time.Time // when the right to watch was missing
}

var _ store[pod.Pod] = (*listing[pod.Pod])(nil)

// An identity tells an object and its state from others.
type identity struct {
	name    string // with its namespace
	version uint64
}

// A round is one list of the API server, for all who asked before it began.
type round[T any] struct {
	done chan struct{}
	all  []*T
	err  error
}

const (
	// listTimeout bounds one list, which belongs to no caller.
	listTimeout = time.Minute
	// denialTime is how long a missing right to watch counts as missing.
	denialTime = 5 * time.Minute
	// mostPatience bounds how long one waits for the watch rather than list.
	mostPatience = 100 * time.Millisecond
)

func newListing[T any](ask reflector[T], identify func(*T) identity) *listing[T] {
	ask.position = newPosition()
	return &listing[T]{reflector: ask, identify: identify, items: map[string]*T{}}
}

// list returns the objects at a version or a later one. They belong to all callers, as does the slice. It waits for the
// watch about as long as a list would take.
func (l *listing[T]) list(ctx context.Context, version uint64) ([]*T, error) {
	l.watchFrom(secondCall)
	if l.position().await(ctx, version, l.patience()) {
		return l.snapshot(), nil
	}
	return l.read(ctx)
}

func (l *listing[T]) position() *position { return l.reflector.position }

// The call from which on a kind is watched.
const (
	firstCall  = 1
	secondCall = 2
)

// watchFrom counts a call, and watches from the given one on.
func (l *listing[T]) watchFrom(call int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	switch {
	case l.feed != nil:
		l.feed.idle.Reset(linger)
	case l.calls >= call && time.Since(l.denied) > denialTime:
		l.start()
	}
}

// patience is how long a caller waits for the watch.
func (l *listing[T]) patience() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return min(l.took, mostPatience)
}

// read returns the objects as of a list that begins after the call.
func (l *listing[T]) read(ctx context.Context) ([]*T, error) {
	l.mu.Lock()
	r := l.next
	if r == nil {
		r = &round[T]{done: make(chan struct{})}
		l.next = r
		go l.run(r)
	}
	l.mu.Unlock()
	select {
	case <-r.done:
		return r.all, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *listing[T]) run(r *round[T]) {
	defer close(r.done)
	l.turn.Lock()
	defer l.turn.Unlock()
	l.mu.Lock()
	l.next = nil
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), listTimeout)
	defer cancel()
	expired, began := l.position().begin(), time.Now()
	items, version, err := l.reflector.read(ctx)
	if err != nil {
		r.err = err
		return
	}
	l.replace(items, version)
	l.position().advance(version)
	l.position().renew(expired)
	l.mu.Lock()
	defer l.mu.Unlock()
	r.all, l.took = l.objects(), time.Since(began)
	if l.feed == nil {
		l.forget()
	}
}

// forget frees what no watch keeps up to date. Its caller holds the lock.
func (l *listing[T]) forget() {
	clear(l.items)
	l.all, l.known = nil, 0
}

// has reports whether an object with the namespace and name is known.
func (l *listing[T]) has(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.items[name] != nil
}

func (l *listing[T]) snapshot() []*T {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.objects()
}

// objects is snapshot with the lock held.
func (l *listing[T]) objects() []*T {
	if l.all == nil {
		l.all = make([]*T, 0, len(l.items))
		for _, item := range l.items {
			l.all = append(l.all, item)
		}
	}
	return l.all
}

// replace takes a list, unless the watch has told later states already.
func (l *listing[T]) replace(items []T, version string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.learns(numeric(version)) {
		clear(l.items)
		for i := range items {
			l.items[l.identify(&items[i]).name] = &items[i]
		}
	}
	for f := range l.followers() {
		l.fill(f)
	}
}

// set takes a state, unless a later list has told it already.
//
//lint:ignore U1000 a reflector calls it, which staticcheck does not see for type parameters
func (l *listing[T]) set(item T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if id := l.identify(&item); l.learns(id.version) {
		l.items[id.name] = &item
		for f := range l.followers() {
			f.set(item)
		}
	}
}

// drop takes the end of an object.
//
//lint:ignore U1000 as set
func (l *listing[T]) drop(item T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if id := l.identify(&item); l.learns(id.version) {
		delete(l.items, id.name)
		for f := range l.followers() {
			f.drop(item)
		}
	}
}

// learns reports whether a version is new. Its caller holds the lock and takes what the version brings.
func (l *listing[T]) learns(version uint64) bool {
	if version != 0 && version < l.known {
		return false
	}
	l.known, l.all = max(l.known, version), nil
	return true
}
