// Package movertest is the suite that every [sluice.Mover] has to pass, and measures how fast a mover is. Only tests
// and the benchmark import it.
//
// It imports the root and package mover only. Start reading at [Run].
package movertest
