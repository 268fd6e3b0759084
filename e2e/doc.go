// Package e2e proves Sluice on two real Kubernetes clusters. It holds only
// tests: TestMain brings the clusters up with package cluster, and takes them
// down again if it did. Start with main_test.go.
//
// It may import anything of this module and runs the product as a person does,
// by its command line; the product never imports it.
package e2e
