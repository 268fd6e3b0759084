package rollout

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice/internal/manifest"
)

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
