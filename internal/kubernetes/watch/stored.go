package watch

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"

	kjson "sigs.k8s.io/json"

	"github.com/sluice-cd/sluice"
)

// fields are the managedFields of one state of an object. Only writers need them, and as JSON they are small.
type fields struct {
	version uint64
	json    []byte
}

// takeFields removes the managedFields of an object and returns them.
func takeFields(o sluice.Object) fields {
	meta, ok := o["metadata"].(map[string]any)
	if !ok || meta["managedFields"] == nil {
		return fields{version: resourceVersion(o)}
	}
	data, err := json.Marshal(meta["managedFields"])
	if err != nil {
		panic(err) // it was decoded from JSON
	}
	delete(meta, "managedFields")
	return fields{resourceVersion(o), bytes.Clone(data)}
}

// keep remembers who owns the fields of the object.
func (c *cache) keep(o sluice.Object, f fields) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if uid := o.Text("metadata", "uid"); f.version >= c.fields[uid].version {
		c.fields[uid] = f
	}
}

// stored returns a copy of the object as it is stored, with its managedFields; nil if there is none. told is false if
// the cache does not know enough of it.
func (c *cache) stored(namespace, name string) (o sluice.Object, told bool) {
	c.mu.Lock()
	uid := c.names[namespace+"/"+name]
	o, owned := c.objects[uid], c.fields[uid]
	if o == nil {
		o = c.ending[uid]
	}
	c.mu.Unlock()
	if o == nil {
		return nil, true
	}
	if owned.version != resourceVersion(o) {
		return nil, false
	}
	o = o.Clone()
	if len(owned.json) > 0 {
		var list []any
		if kjson.UnmarshalCaseSensitivePreserveInts(owned.json, &list) != nil {
			return nil, false
		}
		o.Set(list, "metadata", "managedFields")
	}
	return o, true
}

// uidOf returns the uid of the object with the namespace and name, "" if there is none.
func (c *cache) uidOf(name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.names[name]
}

// all returns the objects by namespace and name. Nobody may change them or the slice.
func (c *cache) all() []sluice.Object {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sorted != nil {
		return c.sorted
	}
	c.sorted = make([]sluice.Object, 0, len(c.objects)+len(c.ending))
	for _, known := range []map[string]sluice.Object{c.objects, c.ending} {
		for _, o := range known {
			c.sorted = append(c.sorted, o)
		}
	}
	slices.SortFunc(c.sorted, func(a, b sluice.Object) int {
		x, y := a.Ref(), b.Ref()
		return cmp.Or(cmp.Compare(x.Namespace, y.Namespace), cmp.Compare(x.Name, y.Name))
	})
	return c.sorted
}

// latest returns the newest version of an object that the cache has taken.
func (c *cache) latest() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.newest
}
