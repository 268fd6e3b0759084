// Package step holds one file per kind of step, and the registry that makes a plan's steps. A step reaches the
// world only through the contracts in [Deps], so the same steps deliver to every kind of account.
//
// It imports the root and level-1 packages, never an adapter. Start reading at [New], then at pause.go, the
// smallest step, and apply.go, the largest.
package step
