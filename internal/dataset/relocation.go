package dataset

import (
	"context"

	"github.com/sluice-cd/sluice"
)

// A Relocation moves the volumes of a dataset to another place by their own storage, without a copy that could be
// opened elsewhere. Dataset is where the data goes.
type Relocation struct {
	Dataset
	From     Dataset
	Migrator sluice.Migrator
	Settings sluice.Portworx
	// Precautions are about the destination.
	Precautions Precautions
}

// Relocated records the destination before a relocation, and what the storage needs to go back.
type Relocated struct {
	Workload sluice.Object `json:"workload,omitempty"`
	Ready    bool          `json:"ready"`
	Absent   []sluice.Ref  `json:"absent,omitempty"`
	Moving   sluice.Moving `json:"moving"`
	// Held is what precautions change; the values of Secrets are sealed.
	Held []sluice.Object `json:"held,omitempty"`
}

func (r Relocation) move() sluice.Move {
	return sluice.Move{
		ID: r.Key, From: r.From.Place, To: r.Place, Claims: r.Spec.Claims, Workload: r.Spec.Workload, Portworx: r.Settings,
		Stop: func(ctx context.Context) error {
			r.say("stopping " + r.Spec.Name + " of " + r.Target)
			return r.Stop(ctx)
		},
	}
}

// Inspect refuses a relocation that cannot succeed, and reads what Back will need.
func (r Relocation) Inspect(ctx context.Context) (b Relocated, err error) {
	needed, workload, err := r.opening(ctx)
	if err != nil {
		return b, err
	}
	if workload == nil && r.Spec.Engine != EngineFiles {
		ref, err := sluice.ParseRef(r.Spec.Workload, r.From.Place.Namespace)
		if err != nil {
			return b, err
		}
		return b, Request{Dataset: r.From}.absent(ctx, ref, "workload")
	}
	if b.Moving, err = r.Migrator.Check(ctx, r.move()); err != nil {
		return b, err
	}
	if b.Held, err = r.Precautions.Inspect(ctx, needed); err != nil {
		return b, err
	}
	before, err := r.Dataset.Inspect(ctx, needed)
	b.Workload, b.Ready, b.Absent = before.Workload, before.Ready, before.Absent
	return b, err
}

// opening returns the objects that open the data at the destination as they are at the source, and the workload among
// them.
func (r Relocation) opening(ctx context.Context) (all []sluice.Object, workload sluice.Object, err error) {
	live, err := r.From.Workload(ctx)
	if err != nil {
		return nil, nil, err
	}
	if all, err = r.From.Surroundings(ctx, live); err != nil {
		return nil, nil, err
	}
	for _, o := range all {
		o.Set(r.Place.Namespace, "metadata", "namespace")
		if o.Ref().String() == r.Spec.Workload {
			workload = o
		}
	}
	return all, workload, nil
}

// Run stops the workload at the destination, moves the volumes, starts the source's version of the workload on them and
// reads what arrived.
func (r Relocation) Run(ctx context.Context, was Relocated) (f sluice.Fingerprint, err error) {
	needed, workload, err := r.opening(ctx)
	if err != nil {
		return f, err
	}
	if err := r.Precautions.Take(ctx, needed); err != nil {
		return f, err
	}
	if err := r.Migrator.Run(ctx, r.move(), was.Moving, r.Report); err != nil {
		return f, err
	}
	for _, o := range needed {
		if err := r.create(ctx, o); err != nil {
			return f, err
		}
	}
	if workload == nil {
		return r.Read(ctx, "")
	}
	r.say("starting " + r.Spec.Name + " of " + r.Target + " on the volumes that arrived")
	workload, replicas := fitted(workload, was.Workload)
	if err := r.start(ctx, workload, replicas); err != nil {
		return f, err
	}
	return r.Read(ctx, "reading what arrived in "+r.Target)
}

// create creates what the workload needs and the destination does not have.
func (r Relocation) create(ctx context.Context, o sluice.Object) error {
	if ref := o.Ref(); ref.Kind == "PersistentVolumeClaim" || ref.String() == r.Spec.Workload {
		return nil
	}
	there, err := r.get(ctx, o.Ref())
	if err != nil || there != nil {
		return err
	}
	_, _, err = r.Place.Account.Apply(ctx, o, false)
	return err
}

// Back cancels the move and puts everything back as it was before. It does not touch what Run has not touched.
func (r Relocation) Back(ctx context.Context, was Relocated) error {
	begun, err := r.Migrator.Cancel(ctx, r.move())
	if err != nil {
		return err
	}
	touched, err := r.differs(ctx, was)
	if err != nil {
		return err
	}
	if touched = touched || begun; touched {
		r.say("putting " + r.Spec.Name + " of " + r.Target + " back")
		if err := r.Stop(ctx); err != nil {
			return err
		}
	}
	if err := r.Migrator.Undo(ctx, r.move(), was.Moving); err != nil {
		return err
	}
	if err := r.lift(ctx, was.Held, "Secret"); err != nil {
		return err
	}
	if touched {
		if err := r.resume(ctx, was); err != nil {
			return err
		}
	}
	if err := r.lift(ctx, was.Held, "CronJob"); err != nil {
		return err
	}
	for _, ref := range was.Absent {
		if err := r.Place.Account.Delete(ctx, ref); err != nil {
			return err
		}
	}
	return nil
}

// resume brings the workload back as it was before, and deletes one that was not there.
func (r Relocation) resume(ctx context.Context, was Relocated) error {
	if was.Workload == nil {
		return r.remove(ctx)
	}
	return r.startAgain(ctx, Before{Workload: was.Workload, Ready: was.Ready})
}

// differs reports whether the workload or a claim at the destination is not as before.
func (r Relocation) differs(ctx context.Context, was Relocated) (bool, error) {
	live, err := r.Workload(ctx)
	if err != nil {
		return false, err
	}
	if !isSame(was.Workload, live) {
		return true, nil
	}
	for _, claim := range was.Moving.Claims {
		there, err := r.get(ctx, claim.Ref())
		if err != nil || there.Text("metadata", "uid") != claim.Text("metadata", "uid") {
			return true, err
		}
	}
	return false, nil
}

// Settle gives up the previous volumes.
func (r Relocation) Settle(ctx context.Context, was Relocated) error {
	return r.Migrator.Finish(ctx, r.move(), was.Moving)
}
