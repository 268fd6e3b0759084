package portworx

import (
	"maps"

	"github.com/sluice-cd/sluice"
)

// Label is put on the claims to be moved, for as long as they are moved, if no labels of their own tell them apart.
const Label = "sluice-cd.github.io/move"

// selector returns the labels that all the claims and no others have, nil if there are none. Stork knows labels only.
func selector(claims, all []sluice.Object) map[string]string {
	common := labels(claims[0])
	for _, claim := range claims[1:] {
		theirs := labels(claim)
		maps.DeleteFunc(common, func(k, v string) bool { return theirs[k] != v })
	}
	delete(common, Label)
	n := 0
	for _, claim := range all {
		if matches(common, claim) {
			n++
		}
	}
	if len(common) == 0 || n != len(claims) {
		return nil
	}
	return common
}

func labels(o sluice.Object) map[string]string {
	all := map[string]string{}
	m, _ := o.Field("metadata", "labels").(map[string]any)
	for k, v := range m {
		if text, ok := v.(string); ok {
			all[k] = text
		}
	}
	return all
}

func matches(selector map[string]string, o sluice.Object) bool {
	theirs := labels(o)
	for k, v := range selector {
		if has, ok := theirs[k]; !ok || has != v {
			return false
		}
	}
	return true
}
