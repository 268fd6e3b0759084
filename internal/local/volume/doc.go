// Package volume copies directories as they are at one instant: by sharing blocks where the file system can, by
// the kernel's own copying elsewhere. It imports the root package and golang.org/x/sys only.
//
// Start reading at [Clone].
package volume
