// Package standin is the program that stands for a container image in a rehearsal. It listens where the image
// would, answers every HTTP request, takes every connection, and ends at once when it is told to. It imports
// nothing but the standard library and the root package.
//
// Start reading at [Spec] and [Run].
package standin
