// Package movertest is what every [sluice.Mover] has to pass, and how fast one is measured. Only tests and the
// benchmark import it.
//
// It imports the root and package mover only. Start reading at [Run].
package movertest
