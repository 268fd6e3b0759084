package sluice

import "context"

// A Snapshot is a volume at one instant, kept by the storage of its claim.
type Snapshot struct {
	Name   string
	Claim  string
	Size   int64  // in bytes, what a claim must hold at least to begin with its content
	Ready  bool   // its content can be read
	Reason string // why it is not ready, "" if the storage does not say
}

// Snapshots keeps what Cut made in the storage of the claims, so that no bytes move. A kept snapshot belongs to no
// namespace. So it outlives its claim and the namespace, but not the storage.
type Snapshots interface {
	// Keep keeps the snapshots that the volumes were made of, under the id. They may not be ready yet. From now on the cut
	// can be discarded. Keeping them again changes nothing. A volume without a snapshot of its own is Unsupported, also if
	// it is part of a snapshot of several.
	Keep(ctx context.Context, id string, volumes []Volume) error
	// Kept returns what is kept under the id, in the order of the volumes. NotFound if it is not all there.
	Kept(ctx context.Context, id string) ([]Snapshot, error)
	// Look returns the kept snapshot of the name, or NotFound.
	Look(ctx context.Context, name string) (Snapshot, error)
	// Drop deletes what is kept under the id, whole or not, and returns when it is gone from the storage too. Dropping
	// what is not there succeeds.
	Drop(ctx context.Context, id string) error
}
