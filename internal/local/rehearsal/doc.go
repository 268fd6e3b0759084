// Package rehearsal lets a deploy file that was made for clusters run on the local account. [Prepare] changes a
// compiled plan: images without a program become stand-ins, what the local account does not support is left out
// or kept inert, and every such thing is listed. [Steps] and [Account] carry the changed plan out: webhooks go no
// further than this process, metrics and secrets that nobody gave are made up. It imports the root package and
// the local account's packages.
//
// Start reading at [Prepare] and [Steps].
package rehearsal
