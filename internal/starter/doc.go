// Package starter writes the first deploy file and the first sluice.yaml of an application from its manifests.
//
// Start reading at [Write].
package starter
