// Package datatest runs the data steps against real servers: the local account, two versions of a database server, the
// kopia repository and the SQLite store.
package datatest
