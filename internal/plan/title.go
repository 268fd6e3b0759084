package plan

import (
	"fmt"
	"strings"

	"github.com/sluice-cd/sluice"
)

// Title says in a few words what a step is, such as "analysis: errors, slow answers". A name that the deploy file gives
// it says that best.
func Title(s sluice.PlannedStep) string {
	switch {
	case s.Name != "":
		return s.Name
	case s.Apply != nil:
		return "apply"
	case s.Promote != nil:
		return "promote"
	case s.Prune != nil:
		return "prune"
	case s.SetWeight != nil && len(s.SetWeight.Services) > 0:
		return "preview: " + strings.Join(s.SetWeight.Services, ", ")
	case s.SetWeight != nil:
		return fmt.Sprintf("weight %d %%", s.SetWeight.Weight)
	case s.Pause != nil && s.Pause.UntilApproved:
		return strings.TrimSuffix("approval by "+strings.Join(s.Pause.RequiresRoles, " or "), " by ")
	case s.Pause != nil:
		return "pause " + Span(s.Pause.Duration)
	case s.RunWebhook != nil:
		return "webhook: " + s.RunWebhook.Name
	case s.Analysis != nil:
		return "analysis: " + strings.Join(s.Analysis.Queries, ", ")
	case s.ExposeServices != nil:
		return "URL of " + strings.Join(s.ExposeServices.Services, ", ")
	case s.RunJob != nil:
		return "job: " + s.RunJob.Name
	case s.WaitFor != nil:
		return "wait for " + s.WaitFor.Object
	}
	return dataTitle(s)
}

func dataTitle(s sluice.PlannedStep) string {
	switch {
	case s.MigrateData != nil:
		return "data: copy " + s.MigrateData.Dataset + " from " + s.MigrateData.From
	case s.CheckpointData != nil:
		return "data: checkpoint " + s.CheckpointData.Dataset
	case s.VerifyData != nil:
		return "data: verify " + s.VerifyData.Dataset
	case s.RestoreData != nil:
		return "data: restore " + s.RestoreData.Dataset
	case s.MaskData != nil:
		return "data: mask " + s.MaskData.Dataset
	}
	return string(s.Kind)
}
