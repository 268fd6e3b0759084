// Package storetest is the conformance suite of [sluice.Store]: every sentence of the contracts of Log and Catalogue is a
// test, and so are reopening, concurrency and kill -9. A new store passes it before it is used.
//
// It imports the root package only, and only tests import it. Start reading at [Run].
package storetest
