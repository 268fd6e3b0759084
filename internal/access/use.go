package access

import (
	"slices"

	"github.com/sluice-cd/sluice"
)

// Uses are the names in sluice.yaml that a target of a deploy file uses.
type Uses struct{ Secrets, Metrics []string }

// NeedUses returns a Denied error unless the caller may deploy the target of the application with all of the secrets
// and metric providers. It does not tell whether they exist.
func (c Caller) NeedUses(application, target string, u Uses) error {
	for _, name := range u.Secrets {
		if !c.mayUse(application, target, name, func(g Grant) []string { return g.Secrets }) {
			return c.unusable("secret", name, application, target)
		}
	}
	for _, name := range u.Metrics {
		if !c.mayUse(application, target, name, func(g Grant) []string { return g.Metrics }) {
			return c.unusable("metric provider", name, application, target)
		}
	}
	return nil
}

// mayUse reports whether a grant allows the name. Unlike other patterns, an empty list allows nothing; nil allows all.
func (c Caller) mayUse(application, target, name string, patterns func(Grant) []string) bool {
	return slices.ContainsFunc(c.Grants, func(g Grant) bool {
		list := patterns(g)
		return slices.Contains(g.Verbs, Deploy) && fits(g.Applications, application) && fits(g.Targets, target) &&
			(list == nil || slices.ContainsFunc(list, func(p string) bool { return matches(p, name) }))
	})
}

func (c Caller) unusable(kind, name, application, target string) error {
	return sluice.Errorf(sluice.Denied, "%s may not deploy the target %s of the application %s with the %s %s",
		c.Actor.Name, target, application, kind, name).
		WithHint("remove it from the target, or ask who runs this server for a grant with this %s", kind)
}
