package yamldoc

// The codes of this package's findings; docs/diagnostics.md explains each.
const (
	// CodeSyntax marks the place where the parser gave up; what comes behind it is unknown.
	CodeSyntax = "yaml-syntax"

	codeTooLarge    = "too-large"
	codeNotUTF8     = "not-utf8"
	codeTooDeep     = "too-deep"
	codeAliasCycle  = "alias-cycle"
	codeAliasGrowth = "alias-growth"
	codeBadMerge    = "bad-merge"
)
