// Package fingerprint summarises the content of a dataset, so that two datasets can be compared without their data, and
// judges the comparison. It is pure: a database's package reads documents and passes their canonical bytes; this
// package hashes, merges, pairs, narrows, compares and judges. It imports the root, a hash and errgroup.
//
// A document's hash has 128 bits in two independent halves. A Digest holds the exclusive or of one half and the sum of
// the other. So it does not depend on the order of reading, and pairs do not cancel each other. The hash of a
// document's key chooses its segment; only segments whose digests differ are read again.
//
// Start reading at [Set] (one collection's digests), then [Reading], with [Narrow] and [Join] (from digests to keys),
// and [Judge]. A comparison needs only keys, hashes and outlines of each database, so each may be read somewhere else:
// see [Source].
package fingerprint
