// Package storetest is the conformance suite of [sluice.Store]: every sentence of the contracts of Log, Catalogue,
// Leases, Inbox, Tail and Readers is a test, and so are reopening, concurrency, a second process and kill -9. A new
// store passes it before it is used. [Memory] is a store for tests of what uses one.
//
// It imports the root package only, and only tests import it. Start reading at [Run].
package storetest
