package config

// The codes of this package's findings; docs/diagnostics.md explains each.
const (
	codeSeveralDocuments = "several-documents"
	codeUnknownKey       = "unknown-key"
	codeDuplicateKey     = "duplicate-key"
	codeMissingKey       = "missing-key"
	codeWrongType        = "wrong-type"
	codeBadValue         = "bad-value"
	codeBadCombination   = "bad-combination"
)
