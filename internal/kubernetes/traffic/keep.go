package traffic

import (
	"strings"

	"github.com/sluice-cd/sluice"
)

// Keep returns the object as its owner declares it, divided like the live one: declaring an object while a deployment
// runs does not move any traffic. Where nothing divides the live one, it is the declared one.
func Keep(declared, live sluice.Object) (sluice.Object, error) {
	r := recordOf(live)
	switch {
	case len(r.Pin) > 0:
		return Pin(declared, r.Pin)
	case len(r.Subsets) > 0:
		return Narrow(declared, r.tracks())
	case len(r.Shares) > 0:
		return shapeOf(declared.Ref()).make(declared, r.Shares)
	}
	return declared, nil
}

func (r record) tracks() Tracks {
	var t Tracks
	for _, s := range r.Subsets {
		if hash, stable := s.Labels[HashLabel]; stable {
			t.Stable, t.Hash = s.Name, hash
			continue
		}
		t.Canary = s.Name
	}
	return t
}

// shapeOf tells the shapes apart that a record of shares can be of.
func shapeOf(ref sluice.Ref) Shape {
	switch {
	case ref.Kind == "VirtualService":
		return VirtualService
	case strings.HasPrefix(ref.APIVersion, "split."):
		return Split
	}
	return Gateway
}
