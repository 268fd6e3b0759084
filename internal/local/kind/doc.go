// Package kind decodes the objects of the local account strictly, and names every field that it
// does not support. It imports the root package and the Kubernetes API types only.
//
// Start reading at [Decode] and fields.go.
package kind
