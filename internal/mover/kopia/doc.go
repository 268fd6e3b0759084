// Package kopia copies volumes into a repository of github.com/kopia/kopia in a directory or a bucket: deduplicated by
// content, compressed, and encrypted. The repository cannot be read without the password.
//
// A copy of a volume is a plain snapshot, which kopia itself can restore, and an index beside it: all entries with the
// hashes of their segments. The next copy of the same claim sends only segments that the index does not have, and a
// restore reads the index.
//
// It imports the root, packages mover/tree and kopia. Start reading at [New], then at work.go, which has the methods of
// [sluice.Mover].
package kopia
