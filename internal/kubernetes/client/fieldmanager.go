package client

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice"
)

// IsOurs reports whether the field manager is Sluice, but for no application: earlier versions applied everything as
// [sluice.Manager]; what only divides traffic or scales has a name that begins with that and "-".
func IsOurs(manager string) bool {
	return manager == sluice.Manager || strings.HasPrefix(manager, sluice.Manager+"-")
}

// IsHand reports whether the field manager is a command that a person types, so that nothing sets the fields again.
func IsHand(manager string) bool {
	return manager == "kubectl" || strings.HasPrefix(manager, "kubectl-")
}

// ManagedFields returns the entries that say who owns which fields of the object.
func ManagedFields(o sluice.Object) []sluice.Object { return o.List("metadata", "managedFields") }

// A FieldConflict is a field that another manager owns with another value. The values are for people: "" if unknown or
// secret.
type FieldConflict struct{ Field, Manager, Now, Want string }

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
		list = append(list, FieldConflict{Field: c.Field, Manager: manager})
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
	var managers sluice.Owners
	for i, c := range list {
		if i < maxConflicts {
			parts = append(parts, c.String())
		}
		if !slices.Contains(managers, c.Manager) {
			managers = append(managers, c.Manager)
		}
	}
	if more := len(list) - maxConflicts; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	e := sluice.Errorf(sluice.Conflict, "%s", strings.Join(parts, "; ")).
		WithHint("write the values that the cluster has into the manifest, or leave the fields out, or take them over: %s",
			managers.Flag())
	e.Err = managers
	return e
}

// String says who set the field, and to what.
func (c FieldConflict) String() string {
	owner := strconv.Quote(c.Manager)
	if application := sluice.ApplicationOf(c.Manager); application != "" {
		owner = "application " + application
	}
	text := fmt.Sprintf("field %s is set by %s", c.Field, owner)
	if c.Now != "" && c.Want != "" {
		text += fmt.Sprintf(" to %s, the manifest has %s", c.Now, c.Want)
	}
	return text
}
