package traffic

import (
	"cmp"
	"fmt"

	"github.com/sluice-cd/sluice"
)

// TakenUp reports whether every gateway that has said anything about the route has taken up what it says now, and if not,
// why. A route that no controller looks at is taken up.
func TakenUp(route sluice.Object) (bool, string) {
	generation := route.Number(0, "metadata", "generation")
	parents, _ := route.Field("status", "parents").([]any)
	for _, p := range parents {
		name := asObject(p).Text("parentRef", "name")
		for _, kind := range []string{"Accepted", "ResolvedRefs"} {
			c := Condition(asObject(p)["conditions"], kind)
			if c == nil {
				continue
			}
			if seen := c.Number(0, "observedGeneration"); seen > 0 && seen < generation {
				return false, fmt.Sprintf("gateway %s has not taken up the change", name)
			}
			if c.Text("status") != "True" {
				return false, fmt.Sprintf("gateway %s says %s=%s: %s", name, kind, c.Text("status"), cmp.Or(c.Text("message"), c.Text("reason")))
			}
		}
	}
	return true, ""
}
