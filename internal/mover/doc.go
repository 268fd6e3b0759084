// Package mover makes any [sluice.Mover] pleasant to use: it tries again what a retry may heal, and keeps the
// reports of progress to a rate that a person or a terminal can follow. The movers themselves are its
// subdirectories.
//
// It imports the root only. Start reading at [Wrap].
package mover
