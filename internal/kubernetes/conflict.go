package kubernetes

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice"
)

// manager is the name under which Apply owns fields. Other writers of Sluice have names that begin with it and "-".
const manager = sluice.Manager

const kubectlApply = "kubectl-client-side-apply"

// isOurs reports whether Sluice itself writes under the name.
func isOurs(name string) bool { return name == manager || strings.HasPrefix(name, manager+"-") }

// A claim is a field that somebody else owns with another value.
type claim struct{ field, manager string }

// As in: conflict with "kubectl" with subresource "scale" using apps/v1
var conflictWith = regexp.MustCompile(`^conflict with ("(?:[^"\\]|\\.)*")`)

func claims(s metav1.Status) []claim {
	var list []claim
	for _, c := range causes(s) {
		if c.Type != metav1.CauseTypeFieldManagerConflict {
			continue
		}
		name := c.Message
		if m := conflictWith.FindStringSubmatch(c.Message); m != nil {
			name = strings.Trim(m[1], `"`)
		}
		list = append(list, claim{c.Field, name})
	}
	return list
}

// mayForce reports whether nobody but Sluice under other names, or the one that is replaced, owns what is claimed.
func mayForce(list []claim, replaced string) bool {
	return len(list) > 0 && !slices.ContainsFunc(list, func(c claim) bool { return !isOurs(c.manager) && (replaced == "" || c.manager != replaced) })
}

// mostClaims bounds how many fields a message names.
const mostClaims = 5

func conflict(s metav1.Status) *sluice.Error {
	list := slices.DeleteFunc(claims(s), func(c claim) bool { return isOurs(c.manager) })
	if len(list) == 0 {
		return sluice.Errorf(sluice.Conflict, "%s", plain(s.Message))
	}
	return conflictOver(list)
}

func conflictOver(list []claim) *sluice.Error {
	var parts []string
	for i, c := range list {
		if i == mostClaims {
			parts = append(parts, fmt.Sprintf("and %d more", len(list)-i))
			break
		}
		parts = append(parts, fmt.Sprintf("field %s is set by %q", c.field, c.manager))
	}
	return sluice.Errorf(sluice.Conflict, "%s", strings.Join(parts, "; ")).
		WithHint("leave it out of the manifest, or let %s leave it alone; who owns what: kubectl get --show-managed-fields -o yaml", list[0].manager)
}
