package schema

// The codes of this package's findings; docs/diagnostics.md explains each.
const (
	codeBadManifest     = "bad-manifest"
	codeTooManyFindings = "too-many-findings"
	codeMissingField    = "manifest-field-missing"
	codeUnknownField    = "manifest-field-unknown"
	codeWrongType       = "manifest-field-type"
	codeBadValue        = "manifest-field-value"
	codeBadName         = "manifest-name"
	codeAPIVersion      = "manifest-api-version"
)
