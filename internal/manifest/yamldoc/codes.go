package yamldoc

// The codes of this package's findings; docs/diagnostics.md explains each.
const (
	// CodeSyntax marks the place where the parser gave up. The text after it was not read.
	CodeSyntax = "yaml-syntax"

	// CodeTooLarge, CodeTooDeep, CodeAliasCycle and CodeAliasGrowth mark texts that would cost too much to read.
	CodeTooLarge    = "too-large"
	CodeTooDeep     = "too-deep"
	CodeAliasCycle  = "alias-cycle"
	CodeAliasGrowth = "alias-growth"

	// These mark mistakes that make a text invalid YAML, or another YAML than was meant.
	CodeUnquotedTemplate = "unquoted-template"
	CodeHelmTemplate     = "helm-template"
	CodeMissingSpace     = "missing-space"
	CodeMissingDash      = "missing-dash"
	CodeInnerQuote       = "inner-quote"
	CodeDrifted          = "drifted-indent"

	codeNotUTF8  = "not-utf8"
	codeBadMerge = "bad-merge"
)
