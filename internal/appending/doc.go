// Package appending decides what may be appended to the log of a deployment, and what else changes with it: the list of
// deployments, the queue of an application, the letters. Every store asks it, inside its transaction, so that the rules
// of [sluice.Log] and [sluice.Inbox] are written once.
//
// Start reading at [New] and [Call.Decide].
package appending
