// Package compose turns the services of a compose file into Kubernetes manifests. What has no counterpart there is
// reported with its place: nothing is lost in silence.
//
// Start reading at [Read].
package compose
