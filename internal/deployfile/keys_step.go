package deployfile

import "github.com/sluice-cd/sluice"

var unitWords = []string{"seconds", "minutes", "hours"}

var keysDuration = &table{name: "durationMap", keys: []key{
	{name: "duration", form: formAmount, need: true, about: "How many"},
	{name: "unit", form: formChoice, words: unitWords, about: "Of what"},
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
	{name: "weight", form: formWhole, least: 0, most: 100, need: true, about: "The share of the traffic for the new version, in percent; it never goes down"},
}}

var keysPause = &table{name: "pause", keys: []key{
	{name: "duration", form: formAmount, about: "How long, with unit; or a duration such as 10m"},
	{name: "unit", form: formChoice, words: unitWords, about: "The unit of duration"},
	{name: "untilApproved", form: formBool, absent: "false", about: "Wait for a person instead"},
	{name: "requiresRoles", form: formTexts, absent: "anyone", about: "Who may approve: whoever claims one of these roles with --role, which nothing proves"},
	{name: "approvalExpiration", form: formDuration, absent: "never", about: "When nobody's approval counts as a refusal"},
}}

var keysRunWebhook = &table{name: "runWebhook", keys: []key{
	{name: "name", form: formText, need: true, about: "One of the webhooks"},
	{name: "context", form: formTextMap, about: "More variables for its templates"},
	{name: "timeout", form: formDuration, absent: "24h", about: "How long to wait for the callback"},
}}

var keysJudge = &table{name: "analysisStep", keys: []key{
	{name: "queries", form: formTexts, about: "Queries of analysis; all must be good, at least one is required"},
	{name: "interval", form: formAmount, need: true, about: "How long a sample is, with units; or a duration such as 10s"},
	{name: "units", form: formChoice, words: unitWords, about: "The unit of interval"},
	{name: "numberOfJudgmentRuns", form: formWhole, least: 1, most: 100_000, need: true, about: "How many samples"},
	{name: "rollBackMode", form: formChoice, words: []string{"automatic", "manual"}, absent: "automatic", about: "Whether a person decides when it is bad"},
	{name: "rollForwardMode", form: formChoice, words: []string{"automatic", "manual"}, absent: "automatic", about: "Whether a person decides when it is good"},
	{name: "metricProviderName", form: formText, about: "Answers the queries that name no provider"},
	{name: "context", form: formTextMap, about: "More variables for the queries"},
	{name: "lookbackMethod", form: formChoice, words: []string{"growing", "sliding"}, absent: "sliding", about: "Whether each sample reaches back to the beginning"},
	{name: "abortOnFailedJudgment", form: formBool, absent: "false", about: "The first bad sample ends it"},
	{name: "onUnknown", form: formChoice, words: []string{"wait", "rollBack", "rollForward"}, absent: "wait", about: "What happens when nothing could be measured for too long"},
	{name: "unknownBudget", form: formDuration, absent: "10m", about: "How long that may last"},
	{name: "count", form: formScalar, about: "Has no meaning any more (a warning)"},
}}

var keysExposeServices = &table{name: "exposeServices", keys: []key{
	{name: "services", form: formTexts, need: true, about: "Services of the target's namespace"},
	{name: "ttl", form: formDuration, absent: "5m", about: "How long they can be reached, from 1m to 24h"},
}}

var keysRunJob = &table{name: "runJob", one: []string{"path", "inline"}, keys: []key{
	{name: "name", form: formText, need: true, about: "A name for people"},
	{name: "path", form: formText, about: "The file with the Job"},
	{name: "inline", form: formText, about: "The Job itself; one of path and inline"},
	{name: "timeout", form: formDuration, absent: "30m", about: "How long it may run"},
}}

var keysWaitFor = &table{name: "waitFor", one: []string{"condition", "jsonPath"}, keys: []key{
	{name: "object", form: formText, need: true, about: "Kind/name of a built-in kind, else Kind.group/name, whose version is v1, or Kind.version.group/name"},
	{name: "namespace", form: formText, absent: "the target's", about: "Where the object is"},
	{name: "condition", form: formText, about: "Ready, or Ready=False; one of condition and jsonPath"},
	{name: "jsonPath", form: formText, about: "A path such as {.status.phase}"},
	{name: "value", form: formScalar, absent: "any", about: "What the path has to have"},
	{name: "failWhen", form: formList, in: keysFailWhen, about: "States that cannot heal and end the wait at once"},
	{name: "timeout", form: formDuration, absent: "30m", about: "How long it may take"},
}}

var keysFailWhen = &table{name: "failWhen", keys: []key{
	{name: "jsonPath", form: formText, need: true, about: "A path such as {.status.phase}"},
	{name: "value", form: formScalar, need: true, about: "The value that cannot heal"},
}}
