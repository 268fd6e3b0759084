package kubernetes

import (
	"context"
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/sluice-cd/sluice"
)

// A topic tells everybody who watches one kind in one namespace of its objects. Each object is kept once, whatever
// the number of watchers, who share it and must not change it. A slow watcher misses states, never the last one.
type topic struct {
	mu       sync.Mutex
	synced   bool
	objects  map[string]sluice.Object // by uid, what is not being deleted
	versions map[string]uint64        // by uid
	ending   map[string]sluice.Object // by uid, what is being deleted
	dead     map[string]bool          // uids that are known to be gone before the API server says so
	early    []sluice.Object          // written by Sluice before the first list was there
	watchers map[*watcher]bool        // of all objects
	named    map[string]map[*watcher]bool
	err      error
}

func newTopic() *topic {
	return &topic{
		objects: map[string]sluice.Object{}, versions: map[string]uint64{}, dead: map[string]bool{},
		ending:   map[string]sluice.Object{},
		watchers: map[*watcher]bool{}, named: map[string]map[*watcher]bool{},
	}
}

// A watcher is one caller of Watch.
type watcher struct {
	topic   *topic
	name    string // "": every object
	pending map[string]sluice.Object
	order   []string // uids in pending
	wake    chan struct{}
}

// join returns a watcher that is told of everything there is, and of changes from now on.
func (t *topic) join(name string) *watcher {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := &watcher{topic: t, name: name, pending: map[string]sluice.Object{}, wake: make(chan struct{}, 1)}
	if name == "" {
		t.watchers[w] = true
	} else {
		if t.named[name] == nil {
			t.named[name] = map[*watcher]bool{}
		}
		t.named[name][w] = true
	}
	for uid, o := range t.objects {
		if name == "" || name == o.Text("metadata", "name") {
			w.add(uid, o)
		}
	}
	return w
}

func (t *topic) leave(w *watcher) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.watchers, w)
	delete(t.named[w.name], w)
	if len(t.named[w.name]) == 0 {
		delete(t.named, w.name)
	}
}

// fail ends every watch.
func (t *topic) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err = err
	for w := range t.watchers {
		w.rouse()
	}
	for _, ws := range t.named {
		for w := range ws {
			w.rouse()
		}
	}
}

// publish tells of an object's state. It is called with the lock held.
func (t *topic) publish(uid string, o sluice.Object) {
	for w := range t.watchers {
		w.add(uid, o)
	}
	for w := range t.named[o.Text("metadata", "name")] {
		w.add(uid, o)
	}
}

// replace takes over everything there is as of a version. What Sluice wrote later stays.
func (t *topic) replace(items []sluice.Object, listed string) {
	at, _ := strconv.ParseUint(listed, 10, 64)
	present := map[string]bool{}
	for _, o := range items {
		present[o.Text("metadata", "uid")] = true
		t.put(o)
	}
	for uid, v := range t.versions {
		if !present[uid] && (v == 0 || v <= at) {
			t.forget(uid)
		}
	}
	for uid := range t.dead {
		if !present[uid] {
			delete(t.dead, uid)
		}
	}
	if t.synced {
		return
	}
	t.synced = true
	early := t.early
	t.early = nil
	for _, o := range early {
		t.put(o)
	}
}

// forget tells that an object is gone whose last state nobody saw.
func (t *topic) forget(uid string) {
	o, ok := t.objects[uid]
	if !ok {
		o = t.ending[uid]
	}
	t.remove(o)
}

// set takes over a state; before the first list, which may be older, it waits for that.
func (t *topic) set(o sluice.Object) {
	if !t.synced {
		t.early = append(t.early, o)
		return
	}
	t.put(o)
}

// bury makes known that an object is gone, however much the API server still has to say of it.
func (t *topic) bury(uid string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dead[uid] = true
}

// put keeps the object and tells of it, unless a later state is known. One that is being deleted is told of once,
// when it is gone.
func (t *topic) put(o sluice.Object) {
	uid, v := o.Text("metadata", "uid"), version(o)
	if t.dead[uid] || v != 0 && v <= t.versions[uid] {
		return
	}
	t.versions[uid] = v
	if o.Text("metadata", "deletionTimestamp") != "" {
		delete(t.objects, uid)
		t.ending[uid] = o
		return
	}
	t.objects[uid] = o
	t.publish(uid, o)
}

// renew tells of another view of the state that is known.
func (t *topic) renew(o sluice.Object) {
	uid := o.Text("metadata", "uid")
	if _, known := t.objects[uid]; !known || version(o) != t.versions[uid] {
		return
	}
	t.objects[uid] = o
	t.publish(uid, o)
}

// remove tells that the object is gone.
func (t *topic) remove(o sluice.Object) {
	uid := o.Text("metadata", "uid")
	if _, known := t.versions[uid]; !known {
		delete(t.dead, uid)
		return
	}
	delete(t.objects, uid)
	delete(t.ending, uid)
	delete(t.versions, uid)
	if o.Text("metadata", "deletionTimestamp") == "" {
		meta, _ := o["metadata"].(map[string]any)
		o, meta = maps.Clone(o), maps.Clone(meta)
		meta["deletionTimestamp"] = time.Now().UTC().Format(time.RFC3339)
		o["metadata"] = meta
	}
	t.publish(uid, o)
}

// add is called with the topic's lock held.
func (w *watcher) add(uid string, o sluice.Object) {
	if _, ok := w.pending[uid]; !ok {
		w.order = append(w.order, uid)
	}
	w.pending[uid] = o
	w.rouse()
}

func (w *watcher) rouse() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// next waits until there is something to tell.
func (w *watcher) next(ctx context.Context) ([]sluice.Object, error) {
	for {
		list, err := w.take()
		if len(list) > 0 || err != nil {
			return list, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-w.wake:
		}
	}
}

func (w *watcher) take() ([]sluice.Object, error) {
	w.topic.mu.Lock()
	defer w.topic.mu.Unlock()
	list := make([]sluice.Object, 0, len(w.order))
	for _, uid := range w.order {
		list = append(list, w.pending[uid])
	}
	clear(w.pending)
	w.order = w.order[:0]
	if len(list) > 0 {
		return list, nil
	}
	return nil, w.topic.err
}

// version makes resource versions comparable, which those of one kind are; 0 where it cannot.
func version(o sluice.Object) uint64 {
	v, err := strconv.ParseUint(o.Text("metadata", "resourceVersion"), 10, 64)
	if err != nil {
		return 0
	}
	return v
}
