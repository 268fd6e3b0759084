// Package e2e tests Sluice on two real Kubernetes clusters. It contains only
// tests. TestMain starts the clusters with package cluster, and stops them
// again if it started them. Start with main_test.go.
//
// It may import anything of this module. It runs the product as people do, by its
// command line. The product never imports it.
package e2e
