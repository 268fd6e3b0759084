package deployfile

import "github.com/sluice-cd/sluice"

var unitWords = []string{"seconds", "minutes", "hours"}

var keysDuration = &table{name: "durationMap", keys: []key{
	{"duration", amount, required, "How many"},
	{"unit", choice(unitWords...), "", "Of which unit"},
}}

// stepKeys lists what each kind of step takes; a sequence takes steps.
var stepKeys = map[sluice.StepKind]*table{
	sluice.KindSetWeight:      keysSetWeight,
	sluice.KindPause:          keysPause,
	sluice.KindRunWebhook:     keysRunWebhook,
	sluice.KindAnalysis:       keysJudge,
	sluice.KindExposeServices: keysExposeServices,
	sluice.KindRunJob:         keysRunJob,
	sluice.KindWaitFor:        keysWaitFor,
	sluice.KindMigrateData:    keysMigrateData,
	sluice.KindCheckpointData: keysCheckpointData,
	sluice.KindVerifyData:     keysVerifyData,
	sluice.KindRestoreData:    keysRestoreData,
	sluice.KindMaskData:       keysMaskData,
	sluice.KindSequence:       nil,
}

var keysSetWeight = &table{name: "setWeight", keys: []key{
	{"weight", whole(0, 100), required, "The share of traffic for the new version, in percent; weights never go down"},
}}

var keysPause = &table{name: "pause", keys: []key{
	{"duration", amount, "", "How long, with unit; or a duration such as 10m"},
	{"unit", choice(unitWords...), "", "The unit of duration"},
	{"untilApproved", truth, "false", "Wait until a person approves"},
	{"requiresRoles", texts, "anyone", "Who may approve. A server proves roles; without it anyone claims one with --role"},
	{"approvedByAnother", truth, "false", "Who started the deployment may not approve it"},
	{"approvalExpiration", duration, "never", "After this time without approval the step fails"},
}}

var keysRunWebhook = &table{name: "runWebhook", keys: []key{
	{"name", text, required, "One of the webhooks"},
	{"context", textMap, "", "More variables for its templates"},
	{"timeout", duration, "24h", "How long to wait for the callback"},
}}

var keysJudge = &table{name: "analysisStep", keys: []key{
	{"queries", texts, "", "Queries of analysis; all must be good, and at least one is required"},
	{"interval", amount, required, "How long one sample takes, with units; or a duration such as 10s"},
	{"units", choice(unitWords...), "", "The unit of interval"},
	{"numberOfJudgmentRuns", whole(1, 100_000), required, "How many samples"},
	{"rollBackMode", choice("automatic", "manual"), "automatic", "Whether a person decides if the result is bad"},
	{"rollForwardMode", choice("automatic", "manual"), "automatic", "Whether a person decides if the result is good"},
	{"metricProviderName", text, "", "The provider for queries that name none"},
	{"context", textMap, "", "More variables for the queries"},
	{"lookbackMethod", choice("growing", "sliding"), "sliding",
		"Whether each sample covers the time since the start, or only its own interval"},
	{"abortOnFailedJudgment", truth, "false", "End the analysis at the first bad sample"},
	{"onUnknown", choice("wait", "rollBack", "rollForward"), "wait", "What happens if measuring fails for too long"},
	{"unknownBudget", duration, "10m", "How long measuring may fail"},
	{"count", scalar, "", "Ignored, with a warning"},
}}

var keysExposeServices = &table{name: "exposeServices", keys: []key{
	{"services", names(serviceName), required, "Services of the target's namespace"},
	{"ttl", duration, "5m", "How long people can reach them, from 1m to 24h"},
}}

var keysRunJob = &table{name: "runJob", one: []string{"path", "inline"}, keys: []key{
	{"name", own, required, "A name for people"},
	{"path", text, "", "The file with the Job"},
	{"inline", text, "", "The Job itself; give either path or inline"},
	{"timeout", duration, "30m", "How long the Job may run"},
}}

var keysWaitFor = &table{name: "waitFor", one: []string{"condition", "jsonPath"}, keys: []key{
	{"object", text, required, "Kind/name of a built-in kind, or Kind.group/name (version v1), Kind.version.group/name"},
	{"namespace", called(namespaceName), "the target's", "Where the object is"},
	{"condition", text, "", "Ready, or Ready=False; give either condition or jsonPath"},
	{"jsonPath", text, "", "A path such as {.status.phase}"},
	{"value", scalar, "any", "The value that the path must have"},
	{"failWhen", listOf(keysFailWhen), "", "States that cannot heal; they fail the step at once"},
	{"timeout", duration, "30m", "How long it may take"},
}}

var keysFailWhen = &table{name: "failWhen", keys: []key{
	{"jsonPath", text, required, "A path such as {.status.phase}"},
	{"value", scalar, required, "The value that cannot heal"},
}}
