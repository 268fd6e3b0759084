package sluice

import "context"

// A Move brings the volumes of claims to the same claims in another account.
type Move struct {
	ID       string // the names of everything that is made for it derive from it
	From, To Place
	Claims   []string
	Workload string // Kind/name; its pods may use the claims in To until Stop
	Portworx Portworx
	// Stop stops Workload in To, and returns when its last pod is gone.
	Stop func(context.Context) error
}

// Moving is what a move may change, as it was before, with the owners of each field.
type Moving struct {
	Selector map[string]string `json:"selector"`          // the labels that only the claims to be moved have
	Source   []Object          `json:"source"`            // these claims
	Labelled bool              `json:"labelled"`          // they get the labels of Selector for the move
	Claims   []Object          `json:"claims,omitempty"`  // those in the way at the destination
	Volumes  []Object          `json:"volumes,omitempty"` // of Claims, in their order
}

// Overwritten names the claims whose volume at the destination is the one that is written: it came by an earlier move,
// so its present content cannot be put back.
func (m Moving) Overwritten() []string {
	written := map[string]bool{}
	for _, claim := range m.Source {
		written[claim.Text("spec", "volumeName")] = true
	}
	var names []string
	for _, claim := range m.Claims {
		if written[claim.Text("spec", "volumeName")] {
			names = append(names, claim.Ref().Name)
		}
	}
	return names
}

// A Migrator moves volumes between two accounts by the means of their storage. It makes no copy that could be restored
// again. Its work goes on when the process that began it ends. Every method may be repeated, and may be called by
// another process than the one that began the work.
type Migrator interface {
	// Check only reads. It refuses a move that cannot succeed, and returns what Undo needs.
	Check(ctx context.Context, m Move) (Moving, error)
	// Run moves the volumes and returns once every claim is bound to the moved volume. It calls Stop before it touches
	// the destination. A move that was begun is only followed. The previous volumes of the destination stay until
	// Finish, except those that are overwritten. Whatever is not a whole success is Failed, and names what stands in the
	// way.
	Run(ctx context.Context, m Move, was Moving, report func(Progress)) error
	// Cancel ends the move and returns once nothing of it runs. It reports whether there was one. What has been moved
	// stays.
	Cancel(ctx context.Context, m Move) (begun bool, err error)
	// Undo removes what a cancelled move left at both ends, and puts the claims and volumes back as they were. No pod may
	// use a claim that the move brought.
	Undo(ctx context.Context, m Move, was Moving) error
	// Finish gives up the previous volumes, and deletes the record of the move.
	Finish(ctx context.Context, m Move, was Moving) error
}
