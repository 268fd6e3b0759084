// Package host proves on a real cluster that a Kubernetes account keeps the contract of sluice.Host, and that the
// manifests under deploy/ grant what it needs. It holds only tests, which start at main_test.go.
package host
