// Package dataset cuts, copies, proves, compares and replaces the data of a dataset at one place. It needs no plan and
// no step: the names of what it makes derive from a key, so the same call with the same key finds it again after a
// crash.
//
// It acts through the contracts of the root only. Start reading at [Dataset] and [Request].
package dataset
