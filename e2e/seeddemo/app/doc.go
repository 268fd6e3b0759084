// Package app has the programs that run in the pods of the original demo instead of its
// images, one program a directory: the shop pxbbq, the exporter of MongoDB's
// metrics, the wget of busybox, and a mongod that is FerretDB inside. It is a
// module of its own because nothing else of the tests speaks to a MongoDB.
package app
