package access

import (
	"slices"

	"github.com/sluice-cd/sluice"
)

// Place is one namespace of an account as grants name it, such as cluster01/shop. Objects that belong to no namespace
// are in cluster01/, which only patterns such as cluster01/* match.
func Place(account, namespace string) string { return account + "/" + namespace }

// MayDeployTo reports whether the caller may deploy the target of the application to the place.
func (c Caller) MayDeployTo(application, target, place string) bool {
	return slices.ContainsFunc(c.Grants, func(g Grant) bool {
		return slices.Contains(g.Verbs, Deploy) && fits(g.Applications, application) && fits(g.Targets, target) &&
			fits(g.Places, place)
	})
}

// NeedPlaces returns a Denied error unless the caller may deploy the target of the application to all of the places.
func (c Caller) NeedPlaces(application, target string, places []string) error {
	for _, place := range places {
		if !c.MayDeployTo(application, target, place) {
			return sluice.Errorf(sluice.Denied, "%s may not deploy the target %s of the application %s to %s",
				c.Actor.Name, target, application, place).
				WithHint("correct account and namespace of the target, or ask who runs this server for a grant with this place")
		}
	}
	return nil
}
