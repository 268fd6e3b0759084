package step

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
)

const (
	// lease bounds how long the pods of a source stand still, should this process die while it cuts.
	lease = 30 * time.Second
	// afterwards bounds the quiesce.after commands, which run even when everything else was cancelled.
	afterwards = 30 * time.Second
	// migrationsKept is how many checkpoints of a migrateData step stay.
	migrationsKept = 3
)

// A taking is one checkpoint to be made.
type taking struct {
	dataset
	from    place
	id      sluice.CheckpointID
	keep    int
	ttl     time.Duration
	mask    sluice.Mask   // what is rewritten before the copy may be used; not with lenient
	lenient bool          // a copy whose database does not open is kept all the same
	stopped sluice.Object // the workload as it was, where it has been stopped before
}

func (t taking) generation() string { return "cut-" + t.key }

// take makes the checkpoint, or returns it if it exists. Only a copy that was restored once, opened and read
// whole is listed in the catalogue.
func (t taking) take(ctx context.Context) (sluice.Checkpoint, error) {
	c, err := t.deps.Catalogue.Checkpoint(ctx, t.id)
	if sluice.ErrorCode(err) == sluice.NotFound {
		c, err = t.make(ctx)
	}
	if err != nil {
		return c, err
	}
	return c, t.clean(ctx)
}

// thin deletes what is too old and returns what to say of it: nothing, or that it is still there. That is no reason
// to fail what was made; the next one tries again.
func (t taking) thin(ctx context.Context) string {
	if err := t.prune(ctx); err != nil {
		return fmt.Sprintf("; older checkpoints of %s stay until the next one is made, because they could not be deleted: %v", t.spec.Name, err)
	}
	return ""
}

func (t taking) make(ctx context.Context) (sluice.Checkpoint, error) {
	c, err := t.describe(ctx)
	if err != nil {
		return c, err
	}
	cut, err := t.cut(ctx)
	if err != nil {
		return c, err
	}
	c.TakenAt, c.Pause = cut.At, cut.Pause
	if t.ttl > 0 {
		c.Expires = cut.At.Add(t.ttl)
	}
	m, err := t.mover(cmp.Or(t.spec.Mover, autoMover))
	if err != nil {
		return c, err
	}
	if c.Copy, err = m.Copy(ctx, t.rawID(), cut.Volumes, t.say("copying "+t.spec.Name+" of "+t.from.target)); err != nil {
		return c, err
	}
	if c, err = t.proved(ctx, m, c); err != nil {
		return c, err
	}
	return c, t.deps.Catalogue.PutCheckpoint(ctx, c)
}

// rawID names the copy of what the source holds.
func (t taking) rawID() sluice.CheckpointID {
	if len(t.mask) > 0 {
		return t.id + unmasked
	}
	return t.id
}

// proved returns the checkpoint as it may be listed: opened and read whole, and masked before where that is asked for.
func (t taking) proved(ctx context.Context, m sluice.Mover, c sluice.Checkpoint) (sluice.Checkpoint, error) {
	if len(t.mask) > 0 {
		return t.masked(ctx, m, c)
	}
	var err error
	c.Fingerprint, err = t.prove(ctx, m, c)
	return c, err
}

// describe says what is copied and how it can be opened again.
func (t taking) describe(ctx context.Context) (sluice.Checkpoint, error) {
	c := sluice.Checkpoint{
		ID: t.id, Deployment: t.sc.Deployment, Step: t.sc.Step.ID, Dataset: t.spec.Name,
		Target: t.from.target, Account: t.from.name, Namespace: t.from.namespace,
	}
	if t.sc.Plan != nil {
		c.Application = t.sc.Plan.Application
	}
	workload, err := t.workload(ctx, t.from)
	if err != nil {
		return c, err
	}
	if workload == nil {
		workload = t.stopped
	}
	if workload == nil && t.spec.Engine != engineFiles {
		return c, t.noWorkload()
	}
	c.Image = imageOf(workload)
	objects, err := t.surroundings(ctx, t.from, workload)
	if err != nil {
		return c, err
	}
	c.Workload, err = t.listOf(objects)
	return c, err
}

func (t taking) noWorkload() error {
	return sluice.Errorf(sluice.NotFound, "the dataset %s of %s has no workload %s in the namespace %s", t.spec.Name, t.from.target, t.spec.Workload, t.from.namespace).
		WithHint("deploy the database first, or correct datasets.%s.workload", t.spec.Name).At(t.spec.Pos)
}

// cut copies all claims at one instant, between the quiesce commands where there are any. What has been stopped
// is still without them, and has no pod to run them in.
func (t taking) cut(ctx context.Context) (cut sluice.Cut, err error) {
	t.say("cutting " + t.spec.Name + " of " + t.from.target)
	if t.stopped != nil || len(t.spec.Quiesce.Before)+len(t.spec.Quiesce.After) == 0 {
		return t.from.account.Volumes.Cut(ctx, t.from.namespace, t.spec.Claims, t.generation(), lease)
	}
	defer func() {
		if after := t.release(ctx); err == nil {
			err = after
		}
	}()
	if err := t.run(ctx, t.spec.Quiesce.Before); err != nil {
		return cut, err
	}
	return t.from.account.Volumes.Cut(ctx, t.from.namespace, t.spec.Claims, t.generation(), lease)
}

// release runs the commands that end the stillness of the source, also when everything else is cancelled:
// nothing else would.
func (t taking) release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterwards)
	defer cancel()
	return t.run(ctx, t.spec.Quiesce.After)
}

// run runs the commands in every pod of the workload.
func (t taking) run(ctx context.Context, commands [][]string) error {
	if len(commands) == 0 {
		return nil
	}
	pods, err := t.from.account.Pods(ctx, t.from.namespace)
	if err != nil {
		return err
	}
	pods = slices.DeleteFunc(pods, func(p sluice.Pod) bool { return p.Owner != t.spec.Workload })
	if len(pods) == 0 {
		return sluice.Errorf(sluice.Failed, "%s has no pod in which the quiesce commands could run", t.spec.Workload).At(t.spec.Pos)
	}
	var all error
	for _, pod := range pods {
		for _, command := range commands {
			if _, err := t.from.account.Exec(ctx, t.from.namespace, pod.Name, command); err != nil {
				all = errors.Join(all, err)
				break
			}
		}
	}
	return all
}

// prove restores the copy once and reads all of it.
func (t taking) prove(ctx context.Context, m sluice.Mover, c sluice.Checkpoint) (f sluice.Fingerprint, err error) {
	err = t.scratchAt(t.from, "").open(ctx, c, func(at place) error {
		f, err = t.read(ctx, at, "reading the copy of "+t.spec.Name)
		return err
	})
	if err == nil || ctx.Err() != nil || !t.lenient {
		return f, err
	}
	// What is saved aside may be what could not be opened any more: then the bytes have to do.
	return sluice.Fingerprint{Engine: t.spec.Engine, TakenAt: t.deps.Now()}, m.Verify(ctx, c.Copy, t.say("reading the copy of "+t.spec.Name+" back"))
}

// clean takes away what only the making needed.
func (t taking) clean(ctx context.Context) error {
	if err := t.scratchAt(t.from, "").clean(ctx); err != nil {
		return err
	}
	if len(t.mask) > 0 {
		if err := t.forget(ctx, t.rawID()); err != nil {
			return err
		}
	}
	for _, claim := range t.spec.Claims {
		if err := t.from.account.Volumes.Discard(ctx, t.from.namespace, claim, t.generation()); err != nil {
			return err
		}
	}
	return nil
}

// undo leaves a finished checkpoint alone: it is a record, not a change. Of an unfinished one nothing stays.
func (t taking) undo(ctx context.Context) error {
	_, err := t.deps.Catalogue.Checkpoint(ctx, t.id)
	if err == nil {
		return t.clean(ctx)
	}
	if sluice.ErrorCode(err) != sluice.NotFound {
		return err
	}
	if err := t.unquiesce(ctx); err != nil {
		return err
	}
	if err := t.forget(ctx, t.id); err != nil {
		return err
	}
	return t.clean(ctx)
}

// unquiesce ends a stillness that a crash between the commands left. A source without pods stands still for
// another reason.
func (t taking) unquiesce(ctx context.Context) error {
	if len(t.spec.Quiesce.After) == 0 {
		return nil
	}
	workload, err := t.workload(ctx, t.from)
	if err != nil || workload == nil {
		return err
	}
	return t.run(ctx, t.spec.Quiesce.After)
}

// forget deletes the copy of a checkpoint that was never listed. Movers find copies by id; volumes that
// cannot be read keep them from making a new one.
func (t taking) forget(ctx context.Context, id sluice.CheckpointID) error {
	m, err := t.mover(cmp.Or(t.spec.Mover, autoMover))
	if err != nil {
		return err
	}
	volumes := make([]sluice.Volume, len(t.spec.Claims))
	for i, claim := range t.spec.Claims {
		volumes[i] = sluice.Volume{Namespace: t.from.namespace, Claim: claim, Generation: t.generation()}
	}
	c, err := m.Copy(ctx, id, volumes, func(sluice.Amount) {})
	if sluice.ErrorCode(err) == sluice.Unsupported {
		return nil
	}
	if err != nil {
		return err
	}
	return m.Delete(ctx, c)
}

// prune deletes older checkpoints that the same step made in earlier deployments: those beyond keep, and those
// whose time is over. One deployment of an application runs at a time, so no other needs them; those that a step
// of this one puts back stay.
func (t taking) prune(ctx context.Context) error {
	if t.sc.Plan == nil {
		return nil
	}
	all, err := t.deps.Catalogue.Checkpoints(ctx, t.sc.Plan.Application)
	if err != nil {
		return err
	}
	n := 0
	for _, c := range all { // newest first
		if c.Dataset != t.spec.Name || c.Target != t.from.target || !t.sameKind(c) {
			continue
		}
		n++
		expired := !c.Expires.IsZero() && c.Expires.Before(t.deps.Now())
		if c.Deployment == t.sc.Deployment || t.isNeeded(c.ID) || !expired && (t.keep == 0 || n <= t.keep) {
			continue
		}
		if err := t.remove(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// sameKind reports whether the checkpoint is this one of another deployment. What was saved aside under the same
// step id, in a deployment whose steps were others, is not.
func (t taking) sameKind(c sluice.Checkpoint) bool {
	own, _ := strings.CutPrefix(string(t.id), string(t.sc.Deployment))
	its, _ := strings.CutPrefix(string(c.ID), string(c.Deployment))
	return own == its
}

// isNeeded reports whether a step of this deployment names the checkpoint.
func (t taking) isNeeded(id sluice.CheckpointID) bool {
	return slices.ContainsFunc(t.sc.Plan.Steps, func(s sluice.PlannedStep) bool {
		return s.RestoreData != nil && s.RestoreData.Checkpoint == id
	})
}

// remove deletes the copy first: what is listed and half gone is deleted again by the next one.
func (t taking) remove(ctx context.Context, c sluice.Checkpoint) error {
	m, err := t.mover(c.Copy.Mover)
	if err != nil {
		return err
	}
	if err := m.Delete(ctx, c.Copy); err != nil {
		return err
	}
	return t.deps.Catalogue.DeleteCheckpoint(ctx, c.ID)
}
