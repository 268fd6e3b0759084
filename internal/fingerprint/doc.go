// Package fingerprint sums up the content of a dataset so that two can be compared without the data, and judges
// the comparison. It is pure: an engine's package reads documents and gives their canonical bytes, this one hashes,
// merges, pairs, narrows and judges. It imports the root and a hash.
//
// A document's hash has 128 bits, two independent halves. A Digest holds the exclusive or of one half and the sum of
// the other, so it does not depend on the order of reading and pairs do not cancel. Documents are dealt to segments by
// the hash of their key; only segments whose digests differ are read again.
//
// Start reading at [Set] (one collection's digests), then [Narrow] and [Join] (from digests to keys) and [Judge].
package fingerprint
