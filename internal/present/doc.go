// Package present shows deployments to people and programs: sentences, trees, tables, summaries, and the live, plain
// and JSON views. It takes states, plans and findings, and a writer. It knows no flags, no store and no account. Start
// at [Sentences] and [View].
package present
