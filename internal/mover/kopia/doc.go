// Package kopia copies volumes into a repository of github.com/kopia/kopia on a file system: deduplicated by
// content, compressed, and encrypted. The directory cannot be read without the password.
//
// It imports the root and kopia. Start reading at [New], then at work.go, which has the methods of [sluice.Mover].
package kopia
