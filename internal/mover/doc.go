// Package mover completes any [sluice.Mover]: it retries what a retry may heal, and limits reports of progress to a
// rate that a person or a terminal can follow. The movers are its subdirectories.
//
// It imports the root only. Start reading at [Wrap] and [Run].
package mover
