// Package yamldoc reads YAML from untrusted sources. It bounds size, depth and alias expansion, requires UTF-8, and
// gives every finding a position. If a text is not YAML, it names the cause. Its trees contain no aliases and no merge
// keys. It imports only the root package and the YAML parser. Start at [Read].
package yamldoc
