// Package postgres keeps Sluice's log, catalogue, inbox and leases in one PostgreSQL database, which many servers
// share.
//
// It asks internal/appending what may be appended. Start reading at [Open]; transaction.go says why the feed is in the
// order of commits, lease.go how a process that lost its leases is kept out, listener.go how servers wake each other,
// and migrations/ holds the schema.
package postgres
