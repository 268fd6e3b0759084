package service

// The codes of this package's findings; docs/diagnostics.md explains each.
const codeNotConfigured = "not-configured"
