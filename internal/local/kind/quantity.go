package kind

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/sluice-cd/sluice"
)

// SpellQuantities spells the object's quantities as an API server does, so that objects that mean the same are equal:
// the pods of a Deployment do not start again because 1000m is written as 1.
func SpellQuantities(o sluice.Object) {
	spell(o, "spec")
	spell(o, "spec", "template", "spec")
	for _, c := range o.List("spec", "template", "spec", "containers") {
		spell(c)
	}
	for _, c := range o.List("spec", "volumeClaimTemplates") {
		spell(c, "spec")
	}
	for _, v := range o.List("spec", "template", "spec", "volumes") {
		spellAll(v.Field("emptyDir"))
	}
}

// spell spells the resources at the path.
func spell(o sluice.Object, path ...string) {
	for _, list := range []string{"limits", "requests"} {
		spellAll(o.Field(append(path, "resources", list)...))
	}
}

// spellAll spells the values of a map that are quantities.
func spellAll(v any) {
	m, _ := v.(map[string]any)
	for name, value := range m {
		if q, err := resource.ParseQuantity(fmt.Sprint(value)); err == nil {
			m[name] = q.String()
		}
	}
}
