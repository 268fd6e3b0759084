package dataset

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/mover"
)

// A Request is for one checkpoint of a dataset.
type Request struct {
	Dataset
	ID          sluice.CheckpointID
	Application string
	Deployment  sluice.DeploymentID
	Step        sluice.StepID
	TTL         time.Duration
	Keep        int                            // how many checkpoints of the same step to keep; 0: all
	Needed      func(sluice.CheckpointID) bool // says which to keep whatever Keep says
	Mask        sluice.Mask                    // what is rewritten before the copy may be used; not with KeepBroken
	KeepBroken  bool                           // keep a copy even if its database does not open
	Stopped     sluice.Object                  // the workload as it was, if it is already stopped
}

func (r Request) generation() string { return "cut-" + r.Key }

// Preview checks that the claims to copy exist, and names them.
func (r Request) Preview(ctx context.Context) (notes []string, err error) {
	for _, claim := range r.Spec.Claims {
		o, err := r.Place.Account.Get(ctx, claimRef(r.Place.Namespace, claim))
		if sluice.ErrorCode(err) == sluice.NotFound {
			return nil, r.absent("claim "+claim, "claims")
		}
		if err != nil {
			return nil, err
		}
		size := cmp.Or(o.Text("status", "capacity", "storage"), o.Text("spec", "resources", "requests", "storage"),
			"size not known")
		notes = append(notes, fmt.Sprintf("copies the claim %s (%s) of %s", claim, size, r.Target))
	}
	if len(r.Mask.Rewritten()) > 0 {
		notes = append(notes, r.maskNote())
	}
	workload, err := r.Workload(ctx)
	if err == nil && workload == nil && r.Spec.Engine != EngineFiles {
		err = r.absent("workload "+r.Spec.Workload, "workload")
	}
	return notes, err
}

func (r Request) absent(what, field string) error {
	return sluice.Errorf(sluice.NotFound, "the dataset %s of %s has no %s in the namespace %s",
		r.Spec.Name, r.Target, what, r.Place.Namespace).
		WithHint("deploy the database first, or correct datasets.%s.%s", r.Spec.Name, field).At(r.Spec.Pos)
}

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
	cut, err := r.cut(ctx)
	if err != nil {
		return c, err
	}
	c.TakenAt, c.Pause = cut.At, cut.Pause
	if r.TTL > 0 {
		c.Expires = cut.At.Add(r.TTL)
	}
	message := "copying " + r.Spec.Name + " of " + r.Target
	if c.Copy, err = r.copy(ctx, r.copying(r.rawID()), cut, message); err != nil {
		return c, err
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
		ID: r.ID, Application: r.Application, Deployment: r.Deployment, Step: r.Step, Dataset: r.Spec.Name,
		Target: r.Target, Account: r.Place.Name, Namespace: r.Place.Namespace,
	}
	workload, err := r.Workload(ctx)
	if err != nil {
		return c, err
	}
	if workload == nil {
		workload = r.Stopped
	}
	if workload == nil && r.Spec.Engine != EngineFiles {
		return c, r.absent("workload "+r.Spec.Workload, "workload")
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

// clean keeps the copy if the checkpoint is listed. It removes the scratch first: the copy may be made there.
func (r Request) clean(ctx context.Context, listed bool) error {
	if err := r.Scratch("").Clean(ctx); err != nil {
		return err
	}
	if err := r.cancel(ctx, r.verifying()); err != nil {
		return err
	}
	for _, id := range slices.Compact([]string{r.rawID(), string(r.ID)}) {
		if err := r.letGo(ctx, id, listed && id == string(r.ID)); err != nil {
			return err
		}
	}
	return r.discard(ctx, r.generation())
}

// letGo ends the work on a copy, and deletes the copy unless keep is set.
func (r Request) letGo(ctx context.Context, id string, kept bool) error {
	if kept {
		return r.cancel(ctx, r.copying(id))
	}
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
