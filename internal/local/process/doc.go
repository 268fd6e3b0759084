// Package process starts, adopts, signals and finds operating-system processes by an identity that cannot be
// mistaken: number, start time and boot. It imports the standard library and golang.org/x/sys only.
//
// Start reading at [Identity] and [Process].
package process
