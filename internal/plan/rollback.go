package plan

import (
	"fmt"

	"github.com/sluice-cd/sluice"
)

// irreversible lists, as sentences, what undoing a target does not restore. They are part of the plan and its digest.
func irreversible(steps []sluice.PlannedStep) []string {
	var sentences []string
	for _, s := range steps {
		switch {
		case s.RunJob != nil:
			sentences = append(sentences, fmt.Sprintf("what job %s writes into a database is put back only by restoreData",
				s.RunJob.Name))
		case s.RunWebhook != nil:
			sentences = append(sentences, fmt.Sprintf("what the receiver of webhook %q does is not undone", s.RunWebhook.Name))
		case s.MigrateData != nil:
			sentences = append(sentences, fmt.Sprintf("what is written into the copy of %s in %s is lost when "+
				"undo puts back the data that was there", s.MigrateData.Dataset, s.Target))
		case s.RestoreData != nil:
			sentences = append(sentences, fmt.Sprintf("restoring %s takes away what was written since its checkpoint; "+
				"a checkpoint of that is kept first", s.RestoreData.Dataset))
		}
	}
	return sentences
}

// rollbackClass says what rolling a target back means for its data. A leaves data as it is. B restores data that nobody
// has written to since. C restores data that was written to since. "" means that there is no dataset. Class D, which
// cannot be rolled back, never becomes a plan: restoreData without a checkpoint is refused.
func rollbackClass(steps []sluice.PlannedStep) string {
	class := ""
	for _, s := range steps {
		switch {
		case s.RestoreData != nil:
			return "C"
		case s.MigrateData != nil:
			class = "B"
		case class == "" && (s.CheckpointData != nil || s.VerifyData != nil):
			class = "A"
		}
	}
	return class
}
