// Package deployfile reads deploy files: the Armory CD-as-a-Service v1 format and Sluice's own keys. It fills in
// defaults, resolves the names that a file uses and reports all mistakes at once, each with its position and what to
// write instead. It imports the root package, internal/manifest/yamldoc, internal/mask, internal/template and the
// YAML parser. Start at [Parse].
package deployfile
