package dataset

import (
	"context"
	"slices"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/mover"
)

// A Request is for one checkpoint of a dataset.
type Request struct {
	Dataset
	ID         sluice.CheckpointID
	TTL        time.Duration
	Keep       int                            // how many checkpoints of the same step to keep; 0: all
	Needed     func(sluice.CheckpointID) bool // says which to keep whatever Keep says
	Mask       sluice.Mask                    // what is rewritten before the copy may be used; not with KeepBroken
	KeepBroken bool                           // keep a copy even if its database does not open
	Stopped    sluice.Object                  // the workload as it was, if it is already stopped
	Was        *Before                        // the source as it was, if it must be stopped while it is copied
	Since      time.Time                      // the source was not cut before
	Image      string                         // that the release gives the workload; "" if it gives none
	To         *Dataset                       // where the copy is restored first; nil: where it is taken
}

func (r Request) generation() string { return "cut-" + r.Key }

// Take makes the checkpoint, or returns it if it exists. Only a copy that was restored once, opened and read whole is
// listed in the catalogue.
func (r Request) Take(ctx context.Context) (sluice.Checkpoint, error) {
	c, err := r.Catalogue.Checkpoint(ctx, r.ID)
	if sluice.ErrorCode(err) == sluice.NotFound {
		c, err = r.make(ctx)
	}
	if err != nil {
		return c, err
	}
	return c, r.Clean(ctx)
}

func (r Request) make(ctx context.Context) (sluice.Checkpoint, error) {
	c, err := r.describe(ctx)
	if err != nil {
		return c, err
	}
	if err := r.capture(ctx, &c); err != nil {
		return c, err
	}
	if r.TTL > 0 {
		c.Expires = c.TakenAt.Add(r.TTL)
	}
	if len(r.Mask) > 0 {
		c, err = r.masked(ctx, c)
	} else {
		c.Fingerprint, err = r.prove(ctx, c)
	}
	if err != nil {
		return c, err
	}
	return c, r.Catalogue.PutCheckpoint(ctx, c)
}

// copying is the transfer that copies the content of the source.
func (r Request) copying(id string) sluice.Transfer {
	return sluice.Transfer{Kind: sluice.TransferCopy, ID: id, Place: r.Place}
}

func (r Request) verifying() sluice.Transfer {
	return sluice.Transfer{Kind: sluice.TransferVerify, ID: r.generation(), Place: r.Place}
}

func (r Request) copy(ctx context.Context, t sluice.Transfer, cut sluice.Cut, message string) (sluice.Copy, error) {
	m, err := r.mover(r.Spec.Mover)
	if err != nil {
		return sluice.Copy{}, err
	}
	t.Volumes = cut.Volumes
	return mover.Run(ctx, m, t, r.say(message))
}

// describe records what is copied and how it can be opened.
func (r Request) describe(ctx context.Context) (sluice.Checkpoint, error) {
	c := sluice.Checkpoint{
		ID: r.ID, Application: r.Application, Deployment: r.Deployment, Step: r.Step, Owner: r.Owner,
		Dataset: r.Spec.Name, Target: r.Target, Account: r.Place.Name, Namespace: r.Place.Namespace,
	}
	workload, err := r.Workload(ctx)
	if err != nil {
		return c, err
	}
	switch {
	case r.Stopped != nil:
		workload = r.Stopped
	case r.Was != nil:
		workload = r.Was.Workload
	}
	if workload == nil && r.Spec.Engine != EngineFiles {
		return c, r.absentWorkload(ctx)
	}
	c.Image = ImageOf(workload)
	objects, err := r.Surroundings(ctx, workload)
	if err != nil {
		return c, err
	}
	c.Workload, err = r.listOf(objects)
	return c, err
}

// prove restores the copy once and reads all of it.
func (r Request) prove(ctx context.Context, c sluice.Checkpoint) (f sluice.Fingerprint, err error) {
	err = r.Scratch("").Open(ctx, c, func(opened Dataset) error {
		f, err = opened.Read(ctx, "reading the copy of "+r.Spec.Name)
		return err
	})
	if err == nil || ctx.Err() != nil || !r.KeepBroken {
		return f, err
	}
	// The database may not have opened before either: then only the bytes are checked.
	m, err := r.mover(c.Copy.Mover)
	if err != nil {
		return f, err
	}
	t := r.verifying()
	t.Copy = c.Copy
	_, err = mover.Run(ctx, m, t, r.say("reading the copy of "+r.Spec.Name+" back"))
	return sluice.Fingerprint{Engine: r.Spec.Engine, TakenAt: r.Now()}, err
}

// Clean removes what was only needed to make the checkpoint.
func (r Request) Clean(ctx context.Context) error { return r.clean(ctx, true) }

// Undo keeps a finished checkpoint: it is a record, not a change. It removes an unfinished one completely.
func (r Request) Undo(ctx context.Context) error {
	_, err := r.Catalogue.Checkpoint(ctx, r.ID)
	switch {
	case err == nil:
		return r.Clean(ctx)
	case sluice.ErrorCode(err) != sluice.NotFound:
		return err
	}
	if err := r.resume(ctx); err != nil {
		return err
	}
	return r.clean(ctx, false)
}

// clean keeps the copy if the checkpoint is listed. It removes the scratch first: the copy may be made there. It
// deletes copies last: an account is clean also if the repository is away.
func (r Request) clean(ctx context.Context, listed bool) error {
	if err := r.Scratch("").Clean(ctx); err != nil {
		return err
	}
	copies := slices.Compact([]string{r.rawID(), string(r.ID)})
	ending := []sluice.Transfer{r.verifying()}
	for _, id := range copies {
		ending = append(ending, r.copying(id))
	}
	for _, t := range ending {
		if err := r.cancel(ctx, t); err != nil {
			return err
		}
	}
	if err := r.discard(ctx, r.generation()); err != nil {
		return err
	}
	for _, id := range copies {
		if listed && id == string(r.ID) {
			continue
		}
		if err := r.forget(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// forget deletes a copy.
func (r Request) forget(ctx context.Context, id string) error {
	m, err := r.mover(r.Spec.Mover)
	if err != nil {
		return err
	}
	return m.Delete(ctx, r.Place, id)
}

// Documents returns the number of documents in a fingerprint.
func Documents(f sluice.Fingerprint) (n int64) {
	for _, c := range f.Collections {
		n += c.Count
	}
	return n
}
