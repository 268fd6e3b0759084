// Package shop is a small web shop that stores its orders in MongoDB. The demo delivers it. One binary contains every
// release, good and bad, and --release chooses one. Each release is one file, release_*.go. Their faults are like
// those of real releases.
//
// The package imports the MongoDB driver and nothing of Sluice. Start reading at [Order], [Book] and [Release].
package shop
