// Package deployfile reads deploy files: the Armory CD-as-a-Service v1 format and Sluice's own keys. It fills in
// defaults, resolves every name that a file uses and reports all that is wrong with it at once, each finding with
// its place and what to write instead. It imports the root package, internal/manifest/yamldoc and the YAML parser;
// start at [Parse].
package deployfile
