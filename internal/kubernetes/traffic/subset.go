package traffic

import (
	"reflect"

	"github.com/sluice-cd/sluice"
)

// A savedSubset is one subset of a destination rule before its labels were narrowed.
type savedSubset struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels"`        // the added labels
	Was    map[string]any    `json:"was,omitempty"` // nil: the subset was added
}

// Tracks are the subsets of a destination rule for the two tracks.
type Tracks struct {
	Stable  string
	Canary  string
	Hash    string // of the stable pods
	Release string // of the canary pods; "": they have the track label instead
}

// Narrow returns the destination rule with its subsets narrowed to the pods of the tracks. It adds missing subsets.
func Narrow(rule sluice.Object, t Tracks) (sluice.Object, error) {
	o := Widen(rule)
	list, there := o.Field("spec", "subsets").([]any)
	r := record{Bare: !there}
	for _, add := range []savedSubset{
		{Name: t.Stable, Labels: map[string]string{HashLabel: t.Hash}},
		{Name: t.Canary, Labels: CanaryLabels(t.Release, Labels(named(list, t.Canary).Field("labels")))},
	} {
		at := subsetAt(list, add.Name)
		if at < 0 {
			list = append(list, narrowed(sluice.Object{"name": add.Name}, add.Labels))
			r.Subsets = append(r.Subsets, add)
			continue
		}
		add.Was = sluice.Object(asObject(list[at])).Clone()
		list[at] = narrowed(asObject(list[at]), add.Labels)
		r.Subsets = append(r.Subsets, add)
	}
	o.Set(list, "spec", "subsets")
	return o, r.write(o)
}

func narrowed(subset sluice.Object, labels map[string]string) any {
	c := subset.Clone()
	selector := Labels(c.Field("labels"))
	narrow(selector, labels)
	c.Set(values(selector), "labels")
	return map[string]any(c)
}

// named returns the subset of the name, nil if there is none.
func named(list []any, name string) sluice.Object {
	if at := subsetAt(list, name); at >= 0 {
		return asObject(list[at])
	}
	return nil
}

func subsetAt(list []any, name string) int {
	for i, s := range list {
		if asObject(s).Text("name") == name {
			return i
		}
	}
	return -1
}

// Widen returns the destination rule as it was before it was narrowed, with all later changes by others.
func Widen(rule sluice.Object) sluice.Object {
	o, r := rule.Clone(), recordOf(rule)
	list, _ := o.Field("spec", "subsets").([]any)
	for _, s := range r.Subsets {
		at := subsetAt(list, s.Name)
		if at < 0 {
			continue
		}
		if s.Was == nil {
			list = append(list[:at:at], list[at+1:]...)
			continue
		}
		list[at] = widened(asObject(list[at]), s)
	}
	switch {
	case len(r.Subsets) == 0:
	case len(list) == 0 && r.Bare:
		assign(o, nil, "spec", "subsets")
	default:
		o.Set(list, "spec", "subsets")
	}
	_ = record{}.write(o) // removing the annotation cannot fail
	return o
}

func widened(now sluice.Object, s savedSubset) any {
	if reflect.DeepEqual(any(map[string]any(now)), narrowed(s.Was, s.Labels)) {
		return s.Was
	}
	c := now.Clone()
	for k, v := range s.Labels {
		if c.Text("labels", k) == v {
			assign(c, sluice.Object(s.Was).Field("labels", k), "labels", k)
		}
	}
	return map[string]any(c)
}

// SubsetLabels returns the labels of a subset of the destination rule, and whether there is such a subset.
func SubsetLabels(rule sluice.Object, name string) (map[string]string, bool) {
	list, _ := rule.Field("spec", "subsets").([]any)
	at := subsetAt(list, name)
	if at < 0 {
		return nil, false
	}
	return Labels(asObject(list[at]).Field("labels")), true
}
