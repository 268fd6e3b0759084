package watch

import (
	"context"
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/sluice-cd/sluice"
)

// A cache keeps the objects of one kind in one namespace and passes them on to its listeners. It keeps each object
// once, whatever the number of listeners. They share it and must not change it. A slow listener misses states, but
// never the last one.
type cache struct {
	mu        sync.Mutex
	synced    bool
	objects   map[string]sluice.Object      // by uid, without those that are being deleted
	versions  map[string]uint64             // by uid
	newest    uint64                        // of them
	fields    map[string]fields             // by uid, who owns which fields
	names     map[string]string             // uid by namespace and name
	sorted    []sluice.Object               // by namespace and name; nil if they changed
	ending    map[string]sluice.Object      // by uid, those that are being deleted
	gone      map[string]bool               // by uid, those that Sluice deleted; the API server may not say so yet
	early     []sluice.Object               // written by Sluice before the first list came
	listeners map[*listener]bool            // to all objects
	named     map[string]map[*listener]bool // to one object
	err       error
}

func newCache() *cache {
	return &cache{
		objects: map[string]sluice.Object{}, versions: map[string]uint64{}, gone: map[string]bool{},
		ending: map[string]sluice.Object{}, fields: map[string]fields{}, names: map[string]string{},
		listeners: map[*listener]bool{}, named: map[string]map[*listener]bool{},
	}
}

// A listener is one caller of Watch.
type listener struct {
	cache   *cache
	of      sluice.Ref // without a name: every object
	pending map[string]sluice.Object
	order   []string // uids in pending
	wake    chan struct{}
}

// join returns a listener, which gets every object that there is and every change from now on. If its own object does
// not exist, it gets that too, as soon as the cache knows all objects.
func (c *cache) join(of sluice.Ref) *listener {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := of.Name
	l := &listener{cache: c, of: of, pending: map[string]sluice.Object{}, wake: make(chan struct{}, 1)}
	if name == "" {
		c.listeners[l] = true
	} else {
		if c.named[name] == nil {
			c.named[name] = map[*listener]bool{}
		}
		c.named[name][l] = true
	}
	for uid, o := range c.of(of) {
		l.add(uid, o)
	}
	c.tellAbsent(l)
	return l
}

// of returns the objects that the reference names, by uid. Its caller holds the lock.
func (c *cache) of(ref sluice.Ref) map[string]sluice.Object {
	if ref.Name == "" {
		return c.objects
	}
	if uid := c.names[ref.Namespace+"/"+ref.Name]; c.objects[uid] != nil {
		return map[string]sluice.Object{uid: c.objects[uid]}
	}
	named := map[string]sluice.Object{} // the kind may have no namespaces
	for uid, o := range c.objects {
		if ref.Name == o.Text("metadata", "name") {
			named[uid] = o
		}
	}
	return named
}

// tellAbsent tells a listener to one object if that does not exist. One that is being deleted is passed on later.
func (c *cache) tellAbsent(l *listener) {
	if !c.synced || l.of.Name == "" || len(l.pending) > 0 {
		return
	}
	for _, o := range c.ending {
		if o.Text("metadata", "name") == l.of.Name {
			return
		}
	}
	l.add("", l.of.Absent())
}

func (c *cache) leave(l *listener) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.listeners, l)
	delete(c.named[l.of.Name], l)
	if len(c.named[l.of.Name]) == 0 {
		delete(c.named, l.of.Name)
	}
}

// fail ends every watch.
func (c *cache) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	for l := range c.listeners {
		l.signal()
	}
	for _, ws := range c.named {
		for l := range ws {
			l.signal()
		}
	}
}

// publish passes a state on. Its caller holds the lock, like those of replace, set, put, renew and remove.
func (c *cache) publish(uid string, o sluice.Object) {
	for l := range c.listeners {
		l.add(uid, o)
	}
	for l := range c.named[o.Text("metadata", "name")] {
		l.add(uid, o)
	}
}

// replace takes a list of everything as of a version. Later writes of Sluice stay.
func (c *cache) replace(items []sluice.Object, listed string) {
	at := numeric(listed)
	present := map[string]bool{}
	for _, o := range items {
		present[o.Text("metadata", "uid")] = true
		c.put(o)
	}
	for uid, v := range c.versions {
		if !present[uid] && (v == 0 || v <= at) {
			o, ok := c.objects[uid]
			if !ok {
				o = c.ending[uid]
			}
			c.remove(o) // nobody saw its last state
		}
	}
	for uid := range c.gone {
		if !present[uid] {
			delete(c.gone, uid)
		}
	}
	if c.synced {
		return
	}
	c.synced = true
	early := c.early
	c.early = nil
	for _, o := range early {
		c.put(o)
	}
	for _, named := range c.named {
		for l := range named {
			c.tellAbsent(l)
		}
	}
}

// set takes a state. Before the first list, which may be older, the state waits for the list.
func (c *cache) set(o sluice.Object) {
	if !c.synced {
		c.early = append(c.early, o)
		return
	}
	c.put(o)
}

// markGone makes the cache ignore what the API server still says about an object that was deleted. It takes the lock.
func (c *cache) markGone(uid string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone[uid] = true
}

// put keeps the object and passes it on, unless a later state is known. An object that is being deleted is passed on
// once, when it is gone.
func (c *cache) put(o sluice.Object) {
	uid, v := o.Text("metadata", "uid"), resourceVersion(o)
	if c.gone[uid] || v != 0 && v <= c.versions[uid] {
		return
	}
	c.versions[uid], c.newest, c.sorted = v, max(c.newest, v), nil
	c.names[nameOf(o)] = uid
	if o.Text("metadata", "deletionTimestamp") != "" {
		delete(c.objects, uid)
		c.ending[uid] = o
		return
	}
	c.objects[uid] = o
	c.publish(uid, o)
}

// renew passes on another view of the known state.
func (c *cache) renew(o sluice.Object) {
	uid := o.Text("metadata", "uid")
	if _, known := c.objects[uid]; !known || resourceVersion(o) != c.versions[uid] {
		return
	}
	c.objects[uid], c.sorted = o, nil
	c.publish(uid, o)
}

// remove passes on that the object is gone.
func (c *cache) remove(o sluice.Object) {
	uid := o.Text("metadata", "uid")
	delete(c.fields, uid)
	if _, known := c.versions[uid]; !known {
		delete(c.gone, uid)
		return
	}
	delete(c.objects, uid)
	delete(c.ending, uid)
	delete(c.versions, uid)
	c.sorted = nil
	if c.names[nameOf(o)] == uid {
		delete(c.names, nameOf(o))
	}
	if o.Text("metadata", "deletionTimestamp") == "" {
		meta, _ := o["metadata"].(map[string]any)
		o, meta = maps.Clone(o), maps.Clone(meta)
		meta["deletionTimestamp"] = time.Now().UTC().Format(time.RFC3339)
		o["metadata"] = meta
	}
	c.publish(uid, o)
}

// add is called with the cache's lock held.
func (l *listener) add(uid string, o sluice.Object) {
	delete(l.pending, "") // it exists now
	if _, ok := l.pending[uid]; !ok {
		l.order = append(l.order, uid)
	}
	l.pending[uid] = o
	l.signal()
}

func (l *listener) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// next waits for objects.
func (l *listener) next(ctx context.Context) ([]sluice.Object, error) {
	for {
		list, err := l.take()
		if len(list) > 0 || err != nil {
			return list, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-l.wake:
		}
	}
}

func (l *listener) take() ([]sluice.Object, error) {
	l.cache.mu.Lock()
	defer l.cache.mu.Unlock()
	list := make([]sluice.Object, 0, len(l.order))
	for _, uid := range l.order {
		if o, ok := l.pending[uid]; ok {
			list = append(list, o)
		}
	}
	clear(l.pending)
	l.order = l.order[:0]
	if len(list) > 0 {
		return list, nil
	}
	return nil, l.cache.err
}

// resourceVersion returns the object's version as a number, since those of one kind are ordered.
func resourceVersion(o sluice.Object) uint64 { return numeric(versionOf(&o)) }

func versionOf(o *sluice.Object) string { return o.Text("metadata", "resourceVersion") }

func numeric(version string) uint64 {
	v, _ := strconv.ParseUint(version, 10, 64) // 0 if it is not a number
	return v
}

// nameOf is unique among the objects of a kind that exist at the same time.
func nameOf(o sluice.Object) string {
	return o.Text("metadata", "namespace") + "/" + o.Text("metadata", "name")
}
