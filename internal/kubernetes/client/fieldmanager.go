package client

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice"
)

// IsOurs reports whether the field manager is Sluice. It applies as [sluice.Manager]; its other writers have names
// that begin with that and "-".
func IsOurs(manager string) bool {
	return manager == sluice.Manager || strings.HasPrefix(manager, sluice.Manager+"-")
}

// ManagedFields returns the entries that say who owns which fields of the object.
func ManagedFields(o sluice.Object) []sluice.Object {
	list, _ := o.Field("metadata", "managedFields").([]any)
	var entries []sluice.Object
	for _, e := range list {
		if m, ok := e.(map[string]any); ok {
			entries = append(entries, m)
		}
	}
	return entries
}

// A FieldConflict is a field that another manager owns with another value.
type FieldConflict struct{ Field, Manager string }

// As in: conflict with "kubectl" with subresource "scale" using apps/v1
var conflictWith = regexp.MustCompile(`^conflict with ("(?:[^"\\]|\\.)*")`)

// FieldConflicts returns the conflicts that a Status lists.
func FieldConflicts(s metav1.Status) []FieldConflict {
	var list []FieldConflict
	for _, c := range causes(s) {
		if c.Type != metav1.CauseTypeFieldManagerConflict {
			continue
		}
		manager := c.Message
		if m := conflictWith.FindStringSubmatch(c.Message); m != nil {
			manager = strings.Trim(m[1], `"`)
		}
		list = append(list, FieldConflict{c.Field, manager})
	}
	return list
}

func conflict(s metav1.Status) *sluice.Error {
	list := slices.DeleteFunc(FieldConflicts(s), func(c FieldConflict) bool { return IsOurs(c.Manager) })
	if len(list) == 0 {
		return sluice.Errorf(sluice.Conflict, "%s", OneLine(s.Message))
	}
	return ConflictError(list)
}

// maxConflicts bounds how many fields a message names.
const maxConflicts = 5

// ConflictError is the error for one or more conflicts.
func ConflictError(list []FieldConflict) *sluice.Error {
	var parts []string
	for i, c := range list {
		if i == maxConflicts {
			parts = append(parts, fmt.Sprintf("and %d more", len(list)-i))
			break
		}
		parts = append(parts, fmt.Sprintf("field %s is set by %q", c.Field, c.Manager))
	}
	return sluice.Errorf(sluice.Conflict, "%s", strings.Join(parts, "; ")).
		WithHint("leave it out of the manifest, or keep %s from setting it; see who owns it with: "+
			"kubectl get --show-managed-fields -o yaml", list[0].Manager)
}
