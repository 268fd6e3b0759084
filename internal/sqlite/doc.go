// Package sqlite keeps Sluice's log and catalogue in one SQLite file, for one machine.
//
// It imports the root package only. Start reading at [Open]; writer.go says how appends become durable together,
// and migrations/ holds the schema.
package sqlite
