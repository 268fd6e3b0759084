// Package shop is a small web shop whose orders live in MongoDB. It is what the demo delivers: one binary holds
// every release, good and bad, and --release says which one it is. Each release is one file, release_*.go, and
// the faults in them are of the kind that real releases have.
//
// The package imports the MongoDB driver and nothing of Sluice. Start reading at [Order], [Book] and [Release].
package shop
