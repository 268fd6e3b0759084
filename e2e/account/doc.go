// Package account proves on real clusters that a Kubernetes account keeps the contract of sluice.Cluster. It holds
// only tests, which start at main_test.go.
package account
