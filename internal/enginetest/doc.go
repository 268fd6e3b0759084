// Package enginetest holds the tests that kill the engine, and the measurements of its speed.
//
// The tests kill it after every single append and every single effect, forwards and while undoing, and as a process
// with kill -9. The deployment must always end as if nothing had happened: no effect is repeated, none is forgotten.
// Start reading at kill_test.go; world_test.go holds the world that the effects change.
//
// [MeasureDeployments], [MeasureReaction] and [MeasureResume] run many deployments at once over the SQLite store.
package enginetest
