package csi

import (
	"context"
	"time"

	"github.com/sluice-cd/sluice"
)

// Name is the name of this mover in its copies.
const Name = sluice.MoverCSI

// How long to wait for a storage. A driver tries again after an error, so an error counts only after a while.
const (
	failing  = 2 * time.Minute // while it reports errors
	patience = time.Hour       // at most: some storages copy the content before it can be read
)

// Pods mounts volumes that are only made when a pod needs them.
type Pods interface {
	// Mount returns when a pod runs that mounts the volumes of the transfer.
	Mount(ctx context.Context, t sluice.Transfer) error
	// End ends that pod and returns when it is gone. It succeeds if there is none.
	End(ctx context.Context, t sluice.Transfer) error
}

// A Mover keeps and restores snapshots. What it began goes on in the storage, whatever becomes of this process.
type Mover struct {
	pods    Pods
	failing time.Duration
}

// New returns a mover whose pods mount volumes.
func New(pods Pods) *Mover { return &Mover{pods, failing} }

// snapshots returns those of the account.
func snapshots(at sluice.Place) (sluice.Snapshots, error) {
	if at.Account.Snapshots != nil {
		return at.Account.Snapshots, nil
	}
	return nil, sluice.Errorf(sluice.Unsupported, "the snapshots in the storage of the account %s are not in reach",
		at.Name).WithHint("the account must be in sluice.yaml, with the type kubernetes")
}

// Begin implements [sluice.Mover]. Only a copy has something to begin: volumes to fill are staged with their content.
func (m *Mover) Begin(ctx context.Context, t sluice.Transfer) error {
	kept, err := snapshots(t.Place)
	if err != nil || t.Kind != sluice.TransferCopy {
		return err
	}
	return kept.Keep(ctx, t.ID, t.Volumes)
}

// Follow implements [sluice.Mover].
func (m *Mover) Follow(ctx context.Context, t sluice.Transfer, _ func(sluice.Amount)) (sluice.Copy, error) {
	kept, err := snapshots(t.Place)
	if err != nil {
		return sluice.Copy{}, err
	}
	switch t.Kind {
	case sluice.TransferCopy:
		return m.taken(ctx, kept, t)
	case sluice.TransferRestore:
		return t.Copy, m.fill(ctx, t)
	default:
		return t.Copy, m.verify(ctx, kept, t)
	}
}

// taken returns the copy when its snapshots can be read.
func (m *Mover) taken(ctx context.Context, from sluice.Snapshots, t sluice.Transfer) (c sluice.Copy, err error) {
	err = m.wait(ctx, func() (state, error) {
		list, err := from.Kept(ctx, t.ID)
		if err != nil {
			return state{}, err
		}
		c = copyOf(list)
		for _, s := range list {
			if !s.Ready {
				return state{waits: "the snapshot of the claim " + s.Claim + " to be ready", fault: s.Reason}, nil
			}
		}
		return state{}, nil
	})
	return c, err
}

func copyOf(list []sluice.Snapshot) sluice.Copy {
	c := sluice.Copy{Mover: Name}
	for _, s := range list {
		c.Snapshots = append(c.Snapshots, s.Name)
		c.Claims = append(c.Claims, s.Claim)
		c.Bytes += s.Size
	}
	return c
}

// verify fails if a snapshot of the copy is gone or cannot be read. It does not read it.
func (m *Mover) verify(ctx context.Context, from sluice.Snapshots, t sluice.Transfer) error {
	for _, name := range t.Copy.Snapshots {
		s, err := from.Look(ctx, name)
		if sluice.ErrorCode(err) == sluice.NotFound {
			return sluice.Errorf(sluice.Failed, "the snapshot %s of the copy is gone", name)
		}
		if err != nil {
			return err
		}
		if !s.Ready {
			return sluice.Errorf(sluice.Failed, "the snapshot %s of the claim %s cannot be read: %s", name, s.Claim, s.Reason)
		}
	}
	return nil
}

// Find implements [sluice.Mover]. A restore is found by nobody: the volumes are staged again, which moves no bytes.
func (m *Mover) Find(ctx context.Context, t sluice.Transfer) (c sluice.Copy, done bool, err error) {
	if t.Kind != sluice.TransferCopy {
		return c, false, sluice.Errorf(sluice.NotFound, "nothing remembers the %s %s", t.Kind, t.ID)
	}
	from, err := snapshots(t.Place)
	if err != nil {
		return c, false, err
	}
	list, err := from.Kept(ctx, t.ID)
	if err != nil {
		return c, false, err
	}
	for _, s := range list {
		if !s.Ready {
			return c, false, nil
		}
	}
	return copyOf(list), true, nil
}

// Cancel implements [sluice.Mover]. A copy that is not whole has nothing that runs.
func (m *Mover) Cancel(ctx context.Context, t sluice.Transfer) error {
	if t.Place.Account.Snapshots == nil || t.Kind != sluice.TransferRestore {
		return nil
	}
	return m.pods.End(ctx, t)
}

// Delete implements [sluice.Mover].
func (m *Mover) Delete(ctx context.Context, at sluice.Place, id string) error {
	from, err := snapshots(at)
	if err != nil {
		return err
	}
	return from.Drop(ctx, id)
}
