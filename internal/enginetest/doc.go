// Package enginetest holds the tests that kill the engine, and the measurements of its speed.
//
// The tests kill it after every single append and every single effect, forwards and while undoing, and as a process
// with kill -9. Whatever happens, the deployment has to end as if nothing had, with no effect repeated and none
// forgotten. Start reading at kill_test.go; world_test.go is what the effects happen to.
//
// [MeasureDeployments], [MeasureReaction] and [MeasureResume] run many deployments at once over the SQLite store.
package enginetest
