// Package local is the local account: Kubernetes manifests run as processes, directories and listening ports of one
// Linux machine, without root, container engine or cluster. The processes belong to an agent of their own, which
// outlives the caller; this package starts it if necessary and talks to it. It imports the root package and the
// packages below it.
//
// Start reading at [Dial]; internal/local/agent is the other side. docs/local.md tells users what is supported.
package local
