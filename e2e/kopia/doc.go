// Package kopia pins the program with which people read checkpoints without Sluice. It is a module of its own, with the
// libraries' versions of Sluice, so that both share what is built.
package kopia
