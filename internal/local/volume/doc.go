// Package volume copies directories. It shares blocks if the file system can, and lets the kernel copy otherwise. It
// imports golang.org/x/sys only.
//
// Start reading at [Clone].
package volume
