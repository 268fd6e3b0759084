package deployfile

import (
	"regexp"
	"strings"
)

var (
	placeholder = regexp.MustCompile(`^<[^<>]+>$`)
	renamed     = regexp.MustCompile(`^write ([A-Za-z]+):(?:,|$)`)
	gluedKey    = regexp.MustCompile(`^[A-Za-z]+:[^/\s]`)
)

// misplaced says what to do with known keys in wrong places, by the kind of place and the key.
var misplaced = map[string]map[string]string{
	"the deploy file": {
		"artifacts":             "remove it: it belongs to kind: lambda, which is not supported",
		"providerOptions":       "remove it: it belongs to kind: lambda, which is not supported",
		"metadata":              "remove it; the name goes into application:",
		"constraints":           "move it below a target",
		"traffic":               "write trafficManagement:",
		"onRollback":            "move it below a target",
		"queries":               "move it below analysis:",
		"targetFilters":         "remove it; targets are chosen on the command line",
		"files":                 "remove it: the command line adds it",
		"sourceControl":         "remove it: the command line adds it",
		"contextOverrides":      "write it as context:",
		"deploymentConstraints": "move it below a target, as constraints:",
	},
	"the target": {
		"dependsOn":              "move it below constraints:, as in constraints: {dependsOn: [staging]}",
		"beforeDeployment":       "move it below constraints:",
		"afterDeployment":        "move it below constraints:",
		"afterDeploymentFailure": "move it below constraints:",
		"manifests":              "move it to the top level and name the target in its targets: list",
		"deployAsIamRole":        "remove it: it belongs to kind: lambda, which is not supported",
		"region":                 "remove it: it belongs to kind: lambda, which is not supported",
	},
	"constraints": {
		"onRollback": "move it up beside constraints:",
		"account":    "move it up beside constraints:",
		"namespace":  "move it up beside constraints:",
		"strategy":   "move it up beside constraints:",
	},
	"the webhook": {
		"uses":    "remove it: this is a GitHub Action and belongs in a workflow file",
		"with":    "remove it: this is a GitHub Action and belongs in a workflow file",
		"run":     "remove it: this is a GitHub Action and belongs in a workflow file",
		"url":     "write uriTemplate:",
		"uri":     "write uriTemplate:",
		"body":    "write bodyTemplate: {inline: …}",
		"context": "move it to the runWebhook step",
	},
	"bodyTemplate": {"path": "write the text below inline: |"},
	"analysis step": {
		"unit":           "write units:, with an s",
		"numberOfRuns":   "write numberOfJudgmentRuns:",
		"metricProvider": "write metricProviderName:",
	},
	"pause": {
		"approvalDuration": "write approvalExpiration:",
		"units":            "write unit:, without an s",
	},
	"approvalExpiration":  {"requiresRoles": "move it up beside untilApproved:"},
	"the canary strategy": {"activeService": "that is for blueGreen; a canary names its services in trafficManagement:"},
	"the strategy": {
		"rolling": "write it as canary: {steps: [{setWeight: {weight: 100}}]}",
		"steps":   "move it below canary:",
	},
	"trafficManagement": {"lambda": "remove it: it belongs to kind: lambda, which is not supported",
		"alias": "remove it: it belongs to kind: lambda, which is not supported"},
}

// advice returns what to do with a key that is known but in the wrong place, or "" for other keys.
func advice(what, key string) string {
	best := ""
	for place, keys := range misplaced {
		// "pause of …" and "the target staging" begin with their kind of place.
		if strings.HasPrefix(what, place) && keys[key] != "" && len(place) > len(best) {
			best = place
		}
	}
	return misplaced[best][key]
}
