// Package engine runs plans. A deployment's [State] is a fold of its events; [Decide] says, from a state and a time
// alone, what to do next; an [Engine] does it and appends what happened. It knows no kind of step, no store and no
// cluster, reads no clock and no randomness, and imports the root package and golang.org/x/sync only.
//
// Start reading at decide.go, then runner.go.
package engine
