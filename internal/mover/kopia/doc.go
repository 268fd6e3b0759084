// Package kopia copies volumes into a repository of github.com/kopia/kopia on a file system: deduplicated by
// content, compressed, and encrypted. Whoever has the directory but not the password can read nothing.
//
// It imports the root and kopia. Start reading at [Open]; each file after mover.go is one verb of [sluice.Mover].
package kopia
