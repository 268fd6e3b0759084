package rollout

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// conflicts are errors of several objects, each because somebody else owns fields of it.
type conflicts []error

// joined returns one error that names all objects, and the flag that takes all fields over; nil if there are none.
func (c conflicts) joined() error {
	if len(c) < 2 {
		return errors.Join(c...)
	}
	var texts []string
	var owners sluice.Owners
	for _, err := range c {
		texts = append(texts, err.Error())
		if o, ok := errors.AsType[sluice.Owners](err); ok {
			owners = append(owners, o...)
		}
	}
	slices.Sort(owners)
	e := sluice.Errorf(sluice.Conflict, "%s", strings.Join(texts, "; "))
	e.Hint = sluice.ErrorHint(c[0])
	if owners = slices.Compact(owners); len(owners) > 0 {
		e.Err = owners
		e = e.WithHint("write the values that the cluster has into the manifests, or leave the fields out, "+
			"or take them over: %s", owners.Flag())
	}
	return e
}

// maxTaken bounds how many fields a note names.
const maxTaken = 8

// ownerNotes says which fields are taken over from whom, and who else brings the object.
func (t target) ownerNotes(f finding) []string {
	var notes []string
	ref := f.declared.Ref()
	if f.was == nil {
		return nil
	}
	for _, other := range f.was.AppliedByOthers(t.application()) {
		notes = append(notes, fmt.Sprintf("%s belongs to application %s too, which has the same values", ref, other))
	}
	given := manifest.GivenUp(f.was, f.will, t.application())
	for _, manager := range slices.Sorted(maps.Keys(given)) {
		fields := given[manager]
		if more := len(fields) - maxTaken; more > 0 {
			fields = append(slices.Clone(fields[:maxTaken]), fmt.Sprintf("and %d more", more))
		}
		notes = append(notes, fmt.Sprintf("%s: takes over from %s: %s", ref, manager, strings.Join(fields, ", ")))
	}
	return notes
}
