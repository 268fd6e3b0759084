package plan

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
)

// stageFinal matches a wait like kubectl's --for=jsonpath={.status.stage}=Final, however it is quoted.
var stageFinal = regexp.MustCompile(`\.status\.stage\}?[\\'"]*\s*==?\s*[\\'"]*Final\b`)

// checkStage warns of a wait for the end of a Stork object that does not check how it ended.
func (g *graph) checkStage(s sluice.StepSpec) {
	what, pos, success := "", s.Pos, "{.status.status}=Successful"
	switch {
	case s.RunWebhook != nil:
		hook := g.compiler.spec.Webhooks[s.RunWebhook.Name]
		if waitsForStage(hook.URITemplate + "\n" + hook.Body) {
			what, pos = "webhook "+quote(s.RunWebhook.Name), hook.Pos
		}
	case s.RunJob != nil:
		if waitsForStage(text(s.RunJob.Job)) {
			what = "job " + s.RunJob.Name
		}
	case s.WaitFor != nil:
		if waitsForStageOnly(*s.WaitFor) {
			what, success = "waitFor "+s.WaitFor.Object, ".status.status Successful, with failWhen for Failed and PartialSuccess"
		}
	}
	if what == "" {
		return
	}
	g.compiler.warn(pos, codeStageNotSuccess,
		what+" waits for the stage Final, which a failed Stork migration reaches as well",
		"wait for "+success+"; the apply step of a Migration already waits like that")
}

func waitsForStage(text string) bool { return stageFinal.MatchString(text) }

// waitsForStageOnly accepts a wait that fails on a bad status.
func waitsForStageOnly(w sluice.WaitFor) bool {
	failsOnStatus := slices.ContainsFunc(w.FailWhen, func(f sluice.FailWhen) bool {
		return strings.Contains(f.JSONPath, ".status.status")
	})
	return !failsOnStatus && w.Value == "Final" && strings.Contains(w.JSONPath, ".status.stage")
}

func text(o sluice.Object) string {
	data, err := json.Marshal(o)
	if err != nil {
		panic("an object can always be encoded: " + err.Error())
	}
	return string(data)
}
