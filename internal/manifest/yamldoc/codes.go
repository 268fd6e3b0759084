package yamldoc

// The codes of this package's findings; docs/diagnostics.md explains each.
const (
	codeTooLarge    = "too-large"
	codeNotUTF8     = "not-utf8"
	codeSyntax      = "yaml-syntax"
	codeTooDeep     = "too-deep"
	codeAliasCycle  = "alias-cycle"
	codeAliasGrowth = "alias-growth"
	codeBadMerge    = "bad-merge"
)
