package traffic_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/traffic"
)

const rounds = 300

// A world makes random objects of one shape.
type world struct {
	shape  traffic.Shape
	object func(r *rand.Rand) sluice.Object
	share  func(service string, percent int) traffic.Share
	// foreign is a backend that nothing of Sluice knows.
	foreign func() map[string]any
	list    func(o sluice.Object, i int) []any
	place   func(o sluice.Object, i int, list []any)
}

var worlds = map[string]world{
	"gateway": {
		shape:  traffic.Gateway,
		object: gatewayRoute,
		share: func(s string, p int) traffic.Share {
			return traffic.Share{Service: s, Percent: p, Canary: s + "-canary"}
		},
		foreign: func() map[string]any { return map[string]any{"name": "foreign", "weight": int64(7)} },
		list:    func(o sluice.Object, i int) []any { return at(o, i, "rules")["backendRefs"].([]any) },
		place:   func(o sluice.Object, i int, l []any) { at(o, i, "rules")["backendRefs"] = l },
	},
	"istio": {
		shape:  traffic.VirtualService,
		object: virtualService,
		share: func(s string, p int) traffic.Share {
			return traffic.Share{Service: s, Percent: p, Stable: "stable", Canary: "canary"}
		},
		foreign: func() map[string]any {
			return map[string]any{"destination": map[string]any{"host": "foreign"}, "weight": int64(7)}
		},
		list:  func(o sluice.Object, i int) []any { return at(o, i, "http")["route"].([]any) },
		place: func(o sluice.Object, i int, l []any) { at(o, i, "http")["route"] = l },
	},
}

func at(o sluice.Object, i int, list string) map[string]any {
	return o.Field("spec", list).([]any)[i].(map[string]any)
}

func gatewayRoute(r *rand.Rand) sluice.Object {
	var rules []any
	for range 1 + r.IntN(3) {
		var refs []any
		for _, name := range pick(r, "web", "web", "api", "other") {
			ref := map[string]any{"name": name}
			weigh(r, ref)
			if r.IntN(2) == 0 {
				ref["port"] = int64(80 + r.IntN(2))
			}
			if r.IntN(3) == 0 {
				ref["kind"], ref["group"] = "Service", ""
			}
			refs = append(refs, ref)
		}
		rules = append(rules, map[string]any{"backendRefs": refs, "matches": []any{map[string]any{"path": fmt.Sprint("/",
			r.IntN(2))}}})
	}
	return route("HTTPRoute", "rules", rules)
}

func virtualService(r *rand.Rand) sluice.Object {
	var routes []any
	for range 1 + r.IntN(3) {
		var list []any
		for _, host := range pick(r, "web", "web.prod.svc.cluster.local", "api", "other") {
			d := map[string]any{"host": host}
			if subset := []string{"", "stable", "canary", "eu"}[r.IntN(4)]; subset != "" {
				d["subset"] = subset
			}
			b := map[string]any{"destination": d}
			weigh(r, b)
			list = append(list, b)
		}
		routes = append(routes, map[string]any{"route": list})
	}
	return route("VirtualService", "http", routes)
}

func route(kind, list string, routes []any) sluice.Object {
	o := sluice.Object{"apiVersion": "v1", "kind": kind, "spec": map[string]any{list: routes}}
	o.Set("r", "metadata", "name")
	o.Set("prod", "metadata", "namespace")
	return o
}

func pick(r *rand.Rand, names ...string) []string {
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	return names[:1+r.IntN(len(names))]
}

func weigh(r *rand.Rand, b map[string]any) {
	if r.IntN(3) > 0 {
		b["weight"] = int64([]int{0, 1, 2, 25, 33, 50, 100, 999, 1_000_000}[r.IntN(9)])
	}
}

// stored returns the object as another process reads it.
func stored(t *testing.T, o sluice.Object) sluice.Object {
	t.Helper()
	data, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var back map[string]any
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	return integers(back).(map[string]any)
}

func integers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = integers(e)
		}
	case []any:
		for i, e := range v {
			v[i] = integers(e)
		}
	case float64:
		return int64(v)
	}
	return v
}

// However often and in whatever order two Services of one object are divided, taking both divisions out leaves
// the object as it was.
func TestRestoringEveryShareGivesBackTheObject(t *testing.T) {
	for name, w := range worlds {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(rounds) {
				r := rand.New(rand.NewPCG(seed, 1))
				was := w.object(r)
				now := w.shift(t, r, was, 1+r.IntN(5))
				for _, s := range shuffled(r) {
					now = restored(t, w.shape, now, s)
				}
				if diff := cmp.Diff(was, now); diff != "" {
					t.Fatalf("seed %d (-was +now):\n%s", seed, diff)
				}
			}
		})
	}
}

func shuffled(r *rand.Rand) []string {
	if r.IntN(2) == 0 {
		return []string{"web", "api"}
	}
	return []string{"api", "web"}
}

func (w world) shift(t *testing.T, r *rand.Rand, o sluice.Object, times int) sluice.Object {
	t.Helper()
	for range times {
		service := shuffled(r)[0]
		o = stored(t, divided(t, w.shape, o, w.share(service, []int{0, 1, 10, 33, 50, 99, 100}[r.IntN(7)])))
	}
	return o
}

func divided(t *testing.T, k traffic.Shape, o sluice.Object, s traffic.Share) sluice.Object {
	t.Helper()
	will, err := k.Divide(o, s)
	if err != nil {
		t.Fatal(err)
	}
	return will
}

func restored(t *testing.T, k traffic.Shape, o sluice.Object, service string) sluice.Object {
	t.Helper()
	will, err := k.Restore(o, service)
	if err != nil {
		t.Fatal(err)
	}
	return will
}

// The same division again is no change, whatever came before it.
func TestDividingIsIdempotentAndForgetsEarlierPercentages(t *testing.T) {
	for name, w := range worlds {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(rounds) {
				r := rand.New(rand.NewPCG(seed, 2))
				was := w.object(r)
				s := w.share("web", r.IntN(101))
				straight := divided(t, w.shape, was, s)
				around := divided(t, w.shape, stored(t, divided(t, w.shape, was, w.share("web", r.IntN(101)))), s)
				if diff := cmp.Diff(straight, around); diff != "" {
					t.Fatalf("seed %d: what came before matters (-straight +around):\n%s", seed, diff)
				}
				if traffic.Difference(straight, divided(t, w.shape, stored(t, straight), s)) != nil {
					t.Fatalf("seed %d: dividing twice writes twice", seed)
				}
			}
		})
	}
}

// A backend that somebody added, and a route that somebody put before the others, stay when the division goes.
func TestWhatOthersChangedMeanwhileStays(t *testing.T) {
	for name, w := range worlds {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(rounds) {
				r := rand.New(rand.NewPCG(seed, 3))
				was := w.object(r)
				now := divided(t, w.shape, was, w.share("web", 1+r.IntN(99)))
				want := was.Clone()
				w.place(now, 0, append(w.list(now, 0), w.foreign()))
				w.place(want, 0, append(w.list(want, 0), w.foreign()))
				if diff := cmp.Diff(want, restored(t, w.shape, stored(t, now), "web")); diff != "" {
					t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
				}
			}
		})
	}
}

// Whatever the weights are, the canary's part of the Service's own traffic is the percentage, as far as whole weights
// can say it, and the part of everybody else is what it was.
func TestOtherBackendsKeepTheirPart(t *testing.T) {
	for seed := range uint64(rounds) {
		r := rand.New(rand.NewPCG(seed, 4))
		was := gatewayRoute(r)
		percent := r.IntN(101)
		now := divided(t, traffic.Gateway, was, worlds["gateway"].share("web", percent))
		for i := range was.Field("spec", "rules").([]any) {
			before, after := parts(at(was, i, "rules")), parts(at(now, i, "rules"))
			for _, name := range []string{"api", "other"} {
				near(t, seed, name, before[name], after[name])
			}
			near(t, seed, "the Service", before["web"]*float64(100-percent)/100, after["web"])
			near(t, seed, "its canary", before["web"]*float64(percent)/100, after["web-canary"])
		}
	}
}

func near(t *testing.T, seed uint64, who string, want, got float64) {
	t.Helper()
	// A weight of one million beside others cannot be multiplied: the rounding of small ones is 1 in it.
	if diff := got - want; diff < -2e-6 || diff > 2e-6 {
		t.Fatalf("seed %d: %s gets %.7f of the requests, want %.7f", seed, who, got, want)
	}
}

func parts(rule map[string]any) map[string]float64 {
	all, total := map[string]float64{}, 0.0
	for _, b := range rule["backendRefs"].([]any) {
		weight := sluice.Object(b.(map[string]any)).Number(1, "weight")
		all[b.(map[string]any)["name"].(string)] += float64(weight)
		total += float64(weight)
	}
	for name := range all {
		if total > 0 {
			all[name] /= total
		}
	}
	return all
}
