package traffic

import (
	"reflect"

	"github.com/sluice-cd/sluice"
)

// Difference returns the JSON merge patch from one object to another, nil if they are equal.
func Difference(from, to sluice.Object) map[string]any {
	patch := map[string]any{}
	for k, was := range from {
		will, there := to[k]
		a, isMap := was.(map[string]any)
		b, both := will.(map[string]any)
		switch {
		case !there:
			patch[k] = nil
		case isMap && both:
			if d := Difference(a, b); d != nil {
				patch[k] = d
			}
		case !reflect.DeepEqual(was, will):
			patch[k] = will
		}
	}
	for k, will := range to {
		if _, there := from[k]; !there {
			patch[k] = will
		}
	}
	if len(patch) == 0 {
		return nil
	}
	return patch
}
