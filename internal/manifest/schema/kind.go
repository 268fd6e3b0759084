package schema

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
)

// kind returns the type of a built-in kind, "" for a custom resource. A kind that no version of Kubernetes from now on
// can have is an error; one that a newer version may have is a warning.
func (c *checker) kind(apiVersion, kind *yaml.Node) string {
	if of := kubernetes().Kinds[apiVersion.Value+" "+kind.Value]; of != "" {
		return of
	}
	group, version := split(apiVersion.Value)
	versions := kubernetes().versions[group]
	if len(versions) == 0 && strings.Contains(group, ".") {
		return ""
	}
	says := fmt.Sprintf("Kubernetes %s has no %s in %s", kubernetes().Version, escape(kind.Value),
		escape(apiVersion.Value))
	hint, certain := suggestion(kind.Value, group)
	if certain || group == "extensions" || older(version, versions) {
		c.report(apiVersion, codeAPIVersion, hint, "%s", says)
		return ""
	}
	c.add(apiVersion, sluice.Diagnostic{Severity: sluice.SeverityWarning, Code: codeAPIVersion, Message: says, Hint: hint})
	return ""
}

// suggestion names the apiVersion that has the kind, or the kind that was meant. It is certain if no version of
// Kubernetes can have the kind in that group.
func suggestion(kind, group string) (hint string, certain bool) {
	if places := kubernetes().places[kind]; len(places) > 0 {
		for _, place := range places {
			if g, _ := split(place); g == group {
				return "write apiVersion: " + place, false
			}
		}
		return "write apiVersion: " + places[0], true
	}
	if near := yamldoc.Nearest(kind, kubernetes().names); near != "" {
		return "did you mean " + near + "?", true
	}
	return "see which kinds the cluster has with: kubectl api-resources", len(kubernetes().versions[group]) == 0
}

func split(apiVersion string) (group, version string) {
	if g, v, found := strings.Cut(apiVersion, "/"); found {
		return g, v
	}
	return "", apiVersion
}

// stableFirst orders apiVersions.
func stableFirst(a, b string) int {
	_, x := split(a)
	_, y := split(b)
	return cmp.Or(compare(y, x), cmp.Compare(a, b))
}

// older reports whether a group has a version that is more stable, so that this one does not come back.
func older(version string, versions []string) bool {
	return slices.ContainsFunc(versions, func(v string) bool { return compare(version, v) < 0 })
}

// compare orders versions of one group: v1alpha1, v1beta2, v1, v2.
func compare(a, b string) int { return cmp.Compare(stability(a), stability(b)) }

func stability(version string) int {
	var major, minor int
	var stage string
	_, _ = fmt.Sscanf(strings.NewReplacer("alpha", " alpha ", "beta", " beta ").Replace(version), "v%d %s %d",
		&major, &stage, &minor)
	return map[string]int{"alpha": 1, "beta": 2, "": 3}[stage]*10_000 + min(major, 99)*100 + min(minor, 99)
}
