// Package standin is the program that runs instead of a container image in a rehearsal. It listens on the image's
// ports, answers every HTTP request, accepts every connection, and ends at once when it is told to. It imports nothing
// but the standard library and the root package.
//
// Start reading at [Spec] and [Run].
package standin
