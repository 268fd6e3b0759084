// Package data delivers to two clusters that cannot reach each other:
// production in cluster01, staging in cluster02.
//
// TestActs delivers the shop with the deploy files of examples/deploy. Only
// accounts, namespaces, classes of storage and the repository differ.
// TestFaults copies, verifies and restores a database, and lets one fault
// happen in each deployment. What happened is judged by reading the databases
// and by listing objects, never by what sluice says. Without E2E_LONG=1 only
// representatives run.
//
// It contains only tests. Start with shop_test.go and faults_test.go.
package data
