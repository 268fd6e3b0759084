// Package rehearsal lets a deploy file that was made for clusters run on the local account. [Prepare] changes a
// compiled plan: images without a program become stand-ins, what the local account does not support is left out
// or kept inert, and all of it is listed. [Steps] and [NewAccount] run the changed plan: webhooks do not leave this
// process, and missing metrics and secrets are made up. It imports the root package and the local account's packages.
//
// Start reading at [Prepare] and [Steps].
package rehearsal
