// Package plan compiles a deploy file and its manifests into a graph of steps, and prints it. Compiling only reads the
// manifests and is otherwise pure: the same files give the same plan, byte for byte. It imports the root and
// internal/manifest.
//
// Start reading at compile.go, then target.go, where a target becomes a graph.
package plan
