package traffic

import (
	"strings"

	"github.com/sluice-cd/sluice"
)

// Keep returns the declared object, divided like the live one. So applying an object while a deployment runs moves no
// traffic. If the live object is not divided, the declared one stays as it is.
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
		t.Canary, t.Release = s.Name, s.Labels[sluice.ReleaseLabel]
	}
	return t
}

// shapeOf returns the shape of an object that has shares.
func shapeOf(ref sluice.Ref) Shape {
	switch {
	case ref.Kind == "VirtualService":
		return VirtualService
	case strings.HasPrefix(ref.APIVersion, "split."):
		return Split
	}
	return Gateway
}
