// Package enginetest holds the tests that kill the engine: after every single append and every single effect, forwards and
// while undoing, and as a process with kill -9. Whatever happens, the deployment has to end as if nothing had, with
// no effect repeated and none forgotten.
//
// It has no code but tests; they import the engine and the SQLite store. Start reading at kill_test.go; world_test.go
// is what the effects happen to.
package enginetest
