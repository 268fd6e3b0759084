package traffic

import (
	"cmp"
	"reflect"
	"slices"

	"github.com/sluice-cd/sluice"
)

// A Share is how the traffic that an object sends to one Service is divided.
type Share struct {
	Service string `json:"service"`
	Percent int    `json:"percent"`          // for the canary, 0 to 100
	Stable  string `json:"stable,omitempty"` // the subset of the stable pods; "": the Service itself
	Canary  string `json:"canary"`           // the subset, or the Service, of the canary pods
	Route   string `json:"route,omitempty"`  // one of several in the object; "": every one that names the Service
}

func (s Share) stable() string { return cmp.Or(s.Stable, s.Service) }

// saved is one list of backends before anything was divided.
type saved struct {
	At   int    `json:"at"`
	Name string `json:"name,omitempty"` // of the list, if it has one
	Was  []any  `json:"was"`
}

type role int

const (
	other role = iota
	stable
	canary
)

// A Shape says where the objects of a kind list the backends whose weights divide traffic.
type Shape struct {
	path       []string // of the list of routes; nil: the object has one list of backends
	list       []string // of the backends, inside a route or the object
	trackField []string // of the field that tells the tracks apart, inside a backend
	role       func(backend sluice.Object, namespace string, s Share) role
	absent     func(backends int) int64 // the weight of a backend without one
	most       int64                    // the largest weight
}

// backends is one list of an object.
type backends struct {
	name string
	in   sluice.Object // which holds the list at its path
	all  []any
}

func (k Shape) lists(o sluice.Object) []backends {
	if k.path == nil {
		all, _ := o.Field(k.list...).([]any)
		return []backends{{in: o, all: all}}
	}
	routes, _ := o.Field(k.path...).([]any)
	lists := make([]backends, len(routes))
	for i, r := range routes {
		m, _ := r.(map[string]any)
		all, _ := sluice.Object(m).Field(k.list...).([]any)
		lists[i] = backends{name: sluice.Object(m).Text("name"), in: m, all: all}
	}
	return lists
}

// Routes returns the names of the routes that send to the Service of the share, "" for a route without a name.
func (k Shape) Routes(o sluice.Object, s Share) []string {
	var names []string
	for _, l := range k.lists(k.undivided(o)) {
		if k.names(l, o.Text("metadata", "namespace"), s) {
			names = append(names, l.name)
		}
	}
	return names
}

func (k Shape) names(l backends, namespace string, s Share) bool {
	if s.Route != "" && l.name != s.Route {
		return false
	}
	return slices.ContainsFunc(l.all, func(b any) bool { return k.roleOf(b, namespace, s) == stable })
}

func (k Shape) roleOf(b any, namespace string, s Share) role {
	m, ok := b.(map[string]any)
	if !ok {
		return other
	}
	return k.role(m, namespace, s)
}

// Divide returns the object with the share of its Service, which replaces an earlier one.
func (k Shape) Divide(o sluice.Object, s Share) (sluice.Object, error) {
	return k.make(o, append(k.without(o, s.Service), s))
}

// Restore returns the object without any share of the Service.
func (k Shape) Restore(o sluice.Object, service string) (sluice.Object, error) {
	return k.make(o, k.without(o, service))
}

func (k Shape) without(o sluice.Object, service string) []Share {
	return slices.DeleteFunc(slices.Clone(recordOf(o).Shares), func(s Share) bool { return s.Service == service })
}

// make divides the undivided object by the shares.
func (k Shape) make(o sluice.Object, shares []Share) (sluice.Object, error) {
	slices.SortFunc(shares, func(a, b Share) int { return cmp.Compare(a.Service, b.Service) })
	was := k.undivided(o)
	out, namespace := was.Clone(), o.Text("metadata", "namespace")
	r := record{Made: recordOf(o).Made}
	for i, l := range k.lists(out) {
		set, _ := k.splitAll(l, namespace, shares)
		if reflect.DeepEqual(set, l.all) {
			continue
		}
		r.Lists = append(r.Lists, saved{At: i, Name: l.name, Was: k.lists(was)[i].all})
		l.in.Set(set, k.list...)
	}
	if len(r.Lists) > 0 {
		r.Shares = shares
	}
	return out, r.write(out)
}

// splitAll divides a list by each share in turn. It also returns the index that each backend had before, -1 for a new
// one.
func (k Shape) splitAll(l backends, namespace string, shares []Share) ([]any, []int) {
	from := make([]int, len(l.all))
	for i := range from {
		from[i] = i
	}
	list := l.all
	for _, s := range shares {
		if !k.names(l, namespace, s) {
			continue
		}
		next, origin := k.split(list, namespace, s)
		for i, j := range origin {
			if j >= 0 {
				origin[i] = from[j]
			}
		}
		list, from = next, origin
	}
	return list, from
}
