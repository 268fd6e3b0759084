// Package account proves on real clusters that a Kubernetes account keeps what every account promises, and what
// clusters alone do beside it. It holds only tests. They start at suite_test.go and main_test.go.
package account
