package engine

// The codes of this package's findings; docs/diagnostics.md explains each.
const codeRefused = "refused"
