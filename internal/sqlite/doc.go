// Package sqlite keeps Sluice's log, catalogue, inbox and leases in one SQLite file, for the processes of one machine.
//
// It asks internal/appending what may be appended. Start reading at [Open]; writer.go makes appends durable together,
// peers.go is how processes wake each other and lease deployments, and migrations/ holds the schema.
package sqlite
