// Package plan compiles a deploy file and its manifests into a graph of steps, and shows it. Compiling is pure
// but for reading the manifests: the same files give the same plan, byte for byte. It imports the root and
// internal/manifest.
//
// Start reading at compile.go, then target.go, where a target becomes a graph.
package plan
