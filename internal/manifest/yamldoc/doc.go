// Package yamldoc reads YAML that strangers wrote: bounded in size, depth and alias expansion, valid UTF-8, with
// a position for every finding. Its trees hold neither aliases nor merge keys, so that readers need to know of
// neither. It imports the root package and the YAML parser only; start at [Read].
package yamldoc
