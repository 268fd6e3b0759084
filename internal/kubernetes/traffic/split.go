package traffic

import (
	"reflect"
	"slices"

	"github.com/sluice-cd/sluice"
)

// untouched means the weight that the owner of a backend wrote.
const untouched = -1

// A weighing holds the weights of a list of backends while they are divided.
type weighing struct {
	roles   []role
	weight  []int64 // first as they are, then as they become
	partner []int   // of a stable backend: the canary backend that its owner wrote; -1: none
	made    []int64 // of a stable backend: the weight of the canary backend that is added
}

// split divides the weight of a share's Service in a list of backends. It also returns the index that each backend had
// before, -1 for a new one. Other backends keep their part of the traffic: if the Service's own weight cannot be
// divided, all weights are multiplied.
func (k Shape) split(list []any, namespace string, s Share) (out []any, from []int) {
	w := k.weigh(list, namespace, s)
	w.divide(int64(s.Percent), k.most)
	for i, b := range list {
		switch w.roles[i] {
		case stable:
			out, from = append(out, k.track(b, s.stable(), w.weight[i])), append(from, i)
			if w.made[i] != untouched {
				out, from = append(out, k.track(b, s.Canary, w.made[i])), append(from, -1)
			}
		case canary:
			out, from = append(out, k.track(b, s.Canary, w.weight[i])), append(from, i)
		case other:
			out, from = append(out, k.track(b, "", w.weight[i])), append(from, i)
		}
	}
	return out, from
}

// weigh reads the weights and pairs the backends of the two tracks.
func (k Shape) weigh(list []any, namespace string, s Share) weighing {
	var w weighing
	for _, b := range list {
		w.roles, w.weight = append(w.roles, k.roleOf(b, namespace, s)), append(w.weight, k.weightOf(b, len(list)))
		w.partner, w.made = append(w.partner, -1), append(w.made, untouched)
	}
	for i, b := range list {
		if w.roles[i] != canary {
			continue
		}
		at := slices.IndexFunc(list, func(c any) bool {
			return reflect.DeepEqual(k.track(c, s.Canary, 0), k.track(b, s.Canary, 0))
		})
		if at < 0 || w.roles[at] != stable || w.partner[at] >= 0 {
			at = slices.Index(w.roles, stable)
		}
		w.weight[at] += w.weight[i]
		w.weight[i] = 0
		if w.partner[at] < 0 {
			w.partner[at] = i
		}
	}
	return w
}

func (k Shape) weightOf(b any, backends int) int64 {
	m, _ := b.(map[string]any)
	return int64(sluice.Object(m).Number(int(k.absent(backends)), "weight"))
}

// divide replaces the weights.
func (w *weighing) divide(percent, most int64) {
	only, m := w.only(), w.factor(percent, most)
	for i, r := range w.roles {
		switch {
		case r == other && m == 1, r == stable && percent == 0 && w.partner[i] < 0:
			w.weight[i] = untouched
		case r == other:
			w.weight[i] *= m
		case r == stable:
			whole := w.weight[i] * m
			if only && whole > 0 {
				whole = 100
			}
			w.give(i, whole, part(whole, percent))
		}
	}
}

func (w *weighing) give(i int, whole, toCanary int64) {
	w.weight[i] = whole - toCanary
	if j := w.partner[i]; j >= 0 {
		w.weight[j] = toCanary
		return
	}
	w.made[i] = toCanary
}

// only reports whether all requests go to one backend and its canary.
func (w *weighing) only() bool {
	n := 0
	for i, r := range w.roles {
		if r == stable {
			n++
		}
		if r == other && w.weight[i] != 0 {
			return false
		}
	}
	return n == 1
}

// factor returns the number by which all weights are multiplied. Then the percentage of each divided weight is whole,
// or as fine as the largest weight allows.
func (w *weighing) factor(percent, most int64) int64 {
	if percent == 0 || w.only() {
		return 1
	}
	common, largest := int64(100), int64(1)
	for i, r := range w.roles {
		if r == stable {
			common = gcd(common, w.weight[i])
		}
		largest = max(largest, w.weight[i])
	}
	return max(1, min(100/common, most/largest))
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// part returns the percentage of a weight, rounded. Both sides of a true division get something if that is possible.
func part(weight, percent int64) int64 {
	p := (weight*percent + 50) / 100
	if percent > 0 && percent < 100 && weight >= 2 {
		p = min(max(p, 1), weight-1)
	}
	return p
}

// track returns a copy of the backend with the weight for the track, "" for its own.
func (k Shape) track(b any, to string, weight int64) any {
	m, ok := b.(map[string]any)
	if !ok {
		return b
	}
	c := sluice.Object(m).Clone()
	if to != "" {
		c.Set(to, k.trackField...)
	}
	if weight != untouched {
		c["weight"] = weight
	}
	return map[string]any(c)
}
