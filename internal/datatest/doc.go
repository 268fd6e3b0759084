// Package datatest runs the data steps against what they are made for: the local account, two versions of a real
// database server, the kopia repository and the SQLite store.
package datatest
