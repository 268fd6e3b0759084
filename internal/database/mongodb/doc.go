// Package mongodb reads, compares and masks databases of MongoDB and of servers that speak its wire protocol. It
// imports the root, internal/fingerprint, internal/mask and the official driver.
//
// Documents are hashed as the server sends them. The order of fields and the types of values count, so 1, 1.0 and "1"
// are three values. A key is its type and bytes. Documents are not decoded, and only digests are kept.
//
// MongoDB is read by several cursors per collection. Each reads a range of _id that min, max and a hint bound; unlike a
// filter, such a range includes all types. FerretDB, recognized by its buildInfo, reads every document for every cursor
// and ignores min and max, so it gets one cursor per collection. Hashing runs in parallel with reading.
//
// If a database is written to while it is read, its fingerprint does not describe a single instant.
//
// Start reading at [New], then at fingerprint.go and compare.go, which both use scan.go.
package mongodb
