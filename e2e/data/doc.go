// Package data delivers the shop of the examples to two clusters that cannot
// reach each other: production in cluster01, staging in cluster02, with the
// deploy files of examples/deploy. Only accounts, namespaces and classes of
// storage differ. What happened is judged by reading the databases and by
// listing objects, never by what sluice says.
//
// It contains only tests. Start with shop_test.go.
package data
