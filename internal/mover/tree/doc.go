// Package tree is what stands between a place where copies are kept and the files of one volume, which may be on
// another machine. Calls are few and large, so that a network may lie between them.
//
// It imports the root only. Start reading at [Reader] and [Writer]; [Open] and [Create] are both over a directory of
// this machine.
package tree
