package access

import "slices"

// Nothing is the pattern of grants that are for no application, by convention: no application has this name.
const Nothing = "none"

// An UnusedPattern is one that matches no application.
type UnusedPattern struct{ Role, Pattern string }

// Unused lists the patterns of roles that match none of the applications, each once for a role. [Nothing] is meant so.
func Unused(roles []Role, applications []string) (list []UnusedPattern) {
	for _, role := range roles {
		for _, g := range role.Grants {
			for _, p := range g.Applications {
				unused := UnusedPattern{role.Name, p}
				isUsed := p == Nothing || slices.ContainsFunc(applications, func(a string) bool { return matches(p, a) })
				if !isUsed && !slices.Contains(list, unused) {
					list = append(list, unused)
				}
			}
		}
	}
	return list
}
