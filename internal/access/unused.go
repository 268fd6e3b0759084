package access

import "slices"

// Nothing is the pattern of grants that are for no application, by convention: no application has this name.
const Nothing = "none"

// Known are the names that exist. Without applications nothing was deployed yet.
type Known struct{ Applications, Secrets, Metrics []string }

// An UnusedPattern is one that matches nothing of its kind: "application", "secret" or "metric provider".
type UnusedPattern struct{ Role, Kind, Pattern string }

// Unused lists the patterns of roles that match nothing, each once for a role. [Nothing] is meant so.
func Unused(roles []Role, known Known) (list []UnusedPattern) {
	for _, role := range roles {
		add := func(kind string, patterns, names []string) {
			for _, p := range patterns {
				unused := UnusedPattern{role.Name, kind, p}
				isUsed := p == Nothing || slices.ContainsFunc(names, func(name string) bool { return matches(p, name) })
				if !isUsed && !slices.Contains(list, unused) {
					list = append(list, unused)
				}
			}
		}
		for _, g := range role.Grants {
			if len(known.Applications) > 0 {
				add("application", g.Applications, known.Applications)
			}
			add("secret", g.Secrets, known.Secrets)
			add("metric provider", g.Metrics, known.Metrics)
		}
	}
	return list
}
