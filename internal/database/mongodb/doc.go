// Package mongodb reads and compares the databases of MongoDB and of servers that speak its wire protocol. It imports
// the root, internal/fingerprint and the official driver.
//
// Documents are hashed as the server sends them: the order of fields and the types of values count, so 1, 1.0 and "1"
// are three values. A key is its type and bytes. Nothing is decoded on the way and nothing but digests is kept.
//
// MongoDB is read by several cursors a collection, each over a range of _id that min, max and a hint bound, which
// unlike a filter crosses types. FerretDB, known by its buildInfo, reads every document for every cursor and ignores
// min and max, so it gets one cursor a collection. Hashing runs beside the reading in either case.
//
// A fingerprint of a database that is being written to is that of no single instant.
//
// Start reading at [New], then fingerprint.go, compare.go and scan.go, which both stand on.
package mongodb
