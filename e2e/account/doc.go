// Package account proves on real clusters that a Kubernetes account keeps the contracts of every account, and tests
// what only clusters do. It holds only tests. They start at suite_test.go and main_test.go.
package account
