// Package remote reads and fills the volumes of a cluster: a Job beside them has package tree over their files, and
// Sluice has the same interfaces over a connection to it. What a Job says is checked, because it may come from other
// code that runs in the cluster; what Sluice says is checked by package tree, which never leaves a volume.
//
// Start reading at [Trees] for Sluice's side and at [Offer] for the Job's.
package remote
