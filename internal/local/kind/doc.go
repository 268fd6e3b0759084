// Package kind decodes the objects that the local account can run, strictly, and names every field that it
// does not support. It imports the root package and the Kubernetes API types only.
//
// Start reading at [Decode] and fields.go.
package kind
