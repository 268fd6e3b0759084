package traffic

import (
	"reflect"
	"slices"

	"github.com/sluice-cd/sluice"
)

// undivided returns the object as it was before anything was divided, with all later changes by others.
func (k Shape) undivided(o sluice.Object) sluice.Object {
	r, out, namespace := recordOf(o), o.Clone(), o.Text("metadata", "namespace")
	lists := k.lists(out)
	at := k.locate(r, lists, namespace)
	for i, l := range lists {
		if n := at[i]; n >= 0 {
			l.in.Set(k.unsplit(l.all, r.Lists[n], namespace, r.Shares), k.list...)
		}
	}
	return out
}

// locate returns the index of the saved list for each list, -1 if there is none. It tries lists with the same index and
// content first, then those with the same content, then those that look divided.
func (k Shape) locate(r record, lists []backends, namespace string) []int {
	at := slices.Repeat([]int{-1}, len(lists))
	used := make([]bool, len(r.Lists))
	fits := []func(l backends, i int, s saved) bool{
		func(l backends, i int, s saved) bool { return i == s.At && k.isDivided(l, s, namespace, r.Shares) },
		func(l backends, _ int, s saved) bool { return k.isDivided(l, s, namespace, r.Shares) },
		func(l backends, i int, s saved) bool {
			return (i == s.At || s.Name != "" && s.Name == l.name) && k.touched(l, namespace, r.Shares)
		},
		func(l backends, _ int, _ saved) bool { return k.touched(l, namespace, r.Shares) },
	}
	for _, fit := range fits {
		for n, s := range r.Lists {
			for i, l := range lists {
				if !used[n] && at[i] < 0 && fit(l, i, s) {
					at[i], used[n] = n, true
				}
			}
		}
	}
	return at
}

func (k Shape) isDivided(l backends, s saved, namespace string, shares []Share) bool {
	set, _ := k.splitAll(backends{name: s.Name, all: s.Was}, namespace, shares)
	return reflect.DeepEqual(set, l.all)
}

// touched reports whether the list has a canary's backend, or a stable one that was moved to a subset.
func (k Shape) touched(l backends, namespace string, shares []Share) bool {
	return slices.ContainsFunc(l.all, func(b any) bool {
		return slices.ContainsFunc(shares, func(s Share) bool {
			r := k.roleOf(b, namespace, s)
			return r == canary || r == stable && s.Stable != ""
		})
	})
}

// unsplit takes a division out of a list of backends. If others changed the list since, it removes only what the
// division made.
func (k Shape) unsplit(now []any, s saved, namespace string, shares []Share) []any {
	set, from := k.splitAll(backends{name: s.Name, all: s.Was}, namespace, shares)
	if reflect.DeepEqual(now, set) {
		return s.Was
	}
	used := make([]bool, len(set))
	m := merge{shape: k, set: set, from: from, was: s.Was, used: used, namespace: namespace, shares: shares}
	var out []any
	for _, b := range now {
		if b, keep := m.back(b); keep {
			out = append(out, b)
		}
	}
	if len(out) == 0 {
		return s.Was
	}
	return out
}

// A merge puts back the backends of one list one by one.
type merge struct {
	shape     Shape
	set       []any // what was written
	from      []int // the index that each had before
	was       []any
	used      []bool
	namespace string
	shares    []Share
}

// back returns the backend as it was before the division, and whether it stays.
func (m *merge) back(b any) (any, bool) {
	i := m.find(b)
	if i < 0 {
		return b, !m.isMade(b)
	}
	m.used[i] = true
	if m.from[i] < 0 {
		return nil, false
	}
	was, set := asObject(m.was[m.from[i]]), asObject(m.set[i])
	c := asObject(b).Clone()
	if reflect.DeepEqual(c["weight"], set["weight"]) {
		assign(c, was["weight"], "weight")
	}
	assign(c, was.Field(m.shape.trackField...), m.shape.trackField...)
	return map[string]any(c), true
}

// find returns the index of the backend as it was written. That one differs at most in its weight, or else has the same
// Service and track.
func (m *merge) find(b any) int {
	for i, s := range m.set {
		if !m.used[i] && reflect.DeepEqual(m.shape.track(s, "", 0), m.shape.track(b, "", 0)) {
			return i
		}
	}
	for _, share := range m.shares {
		r := m.shape.roleOf(b, m.namespace, share)
		for i, s := range m.set {
			if r != other && !m.used[i] && m.shape.roleOf(s, m.namespace, share) == r {
				return i
			}
		}
	}
	return -1
}

// isMade reports whether the backend is the canary's in a list whose owner had none.
func (m *merge) isMade(b any) bool {
	return slices.ContainsFunc(m.shares, func(s Share) bool {
		owners := slices.ContainsFunc(m.was, func(w any) bool { return m.shape.roleOf(w, m.namespace, s) == canary })
		return !owners && m.shape.roleOf(b, m.namespace, s) == canary
	})
}

func asObject(v any) sluice.Object {
	m, _ := v.(map[string]any)
	return m
}

// assign sets the value. Without a value it removes the key.
func assign(o sluice.Object, value any, path ...string) {
	if value != nil {
		o.Set(value, path...)
		return
	}
	last := len(path) - 1
	if m, ok := o.Field(path[:last]...).(map[string]any); ok {
		delete(m, path[last])
	}
}
