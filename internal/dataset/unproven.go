package dataset

import (
	"fmt"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/fingerprint"
)

// Baseline returns what a fingerprint can still say without a copy of its data. Its segments only help to find keys in
// such a copy.
func Baseline(f sluice.Fingerprint) *sluice.Fingerprint {
	f.Collections = append([]sluice.CollectionFingerprint{}, f.Collections...)
	for i := range f.Collections {
		f.Collections[i].Segments = nil
	}
	return &f
}

// JudgeAlone compares with a baseline of which there is no copy. So it finds that documents differ, but not which: any
// difference fails, whatever the mode.
func (d Dataset) JudgeAlone(was, now sluice.Fingerprint, ignore []string) sluice.Verification {
	v := fingerprint.Judge(fingerprint.Case{
		Dataset: d.Spec.Name, Mode: fingerprint.Equal, Was: was, Now: now, Ignored: ignore, Invariants: d.Spec.Invariants,
	})
	var faults []string
	for _, p := range fingerprint.Pairs(was, now, ignore) {
		missing, added, changed := p.Indexes(ignore)
		if p.SameDocuments() && len(missing)+len(added)+len(changed) == 0 {
			continue
		}
		fault := fmt.Sprintf("%s differs (%d documents arrived, there are %d now)", p.Name, p.Was.Count, p.Now.Count)
		if p.SameDocuments() {
			fault = p.Name + " has other indexes"
		}
		faults = append(faults, fault)
	}
	if len(faults) == 0 {
		return v
	}
	if !v.Passed {
		faults = append(faults, v.Reason)
	}
	v.Passed = false
	v.Reason = strings.Join(faults, "; ") + "; the moved data has no copy to compare it with"
	return v
}
