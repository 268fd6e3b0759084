package compose

// The codes of this package's findings; docs/diagnostics.md explains each.
const (
	codeInvalid = "compose-invalid"
	codeRefused = "compose-refused"
	codeLeftOut = "compose-left-out"
)
