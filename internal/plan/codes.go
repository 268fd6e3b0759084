package plan

// The codes of this package's findings; docs/diagnostics.md explains each.
const (
	codeUnknownImage      = "unknown-image"
	codeUnknownTarget     = "unknown-target"
	codeSecretNotSealed   = "secret-not-sealed"
	codeStrategyRequired  = "strategy-required"
	codeNotAJob           = "not-a-job"
	codeTrafficNotHere    = "traffic-not-here"
	codeStageNotSuccess   = "stage-not-success"
	codeNothingToMask     = "nothing-to-mask"
	codeUndefinedVariable = "undefined-variable"
	codeMoverNotHere      = "mover-not-here"
)
