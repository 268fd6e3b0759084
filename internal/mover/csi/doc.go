// Package csi keeps copies as snapshots in the storage of the claims. No bytes move, neither for a copy nor for a
// restore: the storage makes the volumes. The snapshots themselves are those of an account, see [sluice.Snapshots].
//
// Start reading at [Mover].
package csi
