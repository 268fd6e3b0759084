// Package remote reads, compares and masks databases in a Job beside them. [Offer] is the Job's side, over any engines;
// [New] is Sluice's side. It imports the root, internal/beside, internal/fingerprint and internal/secret.
//
// The Job keeps nothing between two calls but a lock: each call brings the URI and opens the database. So a broken
// connection or a killed Job costs one call. No error holds a URI.
//
// Two databases are compared by Sluice, each with a Job beside it. Neither Job may reach the other database: one of
// them is a copy, whose namespace is closed, or it is in another cluster. The fingerprints tell which segments differ.
// Of those each Job sends the keys and hashes, and outlines of the documents that are listed as changed. No value of a
// document leaves its cluster, except in keys.
package remote
