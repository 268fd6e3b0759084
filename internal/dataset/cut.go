package dataset

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sluice-cd/sluice"
)

// afterwards bounds what resumes a source even if everything else was cancelled.
const afterwards = 30 * time.Second

// capture copies the claims as they are at one instant, and notes the instant, the pause and the copy. If the claims
// can only be copied while no pod uses them, it stops the source meanwhile and starts it again whatever happens. A copy
// that was complete when Sluice was interrupted is not made again, and the source goes on undisturbed.
func (r Request) capture(ctx context.Context, c *sluice.Checkpoint) error {
	m, err := r.mover(r.Spec.Mover)
	if err != nil {
		return err
	}
	t := r.copying(r.rawID())
	for _, claim := range r.Spec.Claims {
		t.Volumes = append(t.Volumes, sluice.Volume{Namespace: r.Place.Namespace, Claim: claim})
	}
	known, done, err := m.Find(ctx, t)
	if err != nil && sluice.ErrorCode(err) != sluice.NotFound {
		return err
	}
	switch {
	case done && r.Was != nil:
		c.TakenAt, c.Copy = r.Since, known
		return r.startSource(ctx)
	}
	begun := err == nil // then the cut exists: it only says when it was made
	if r.Was != nil {
		return r.captureStopped(ctx, m, c, begun)
	}
	cutting := r.cut
	if begun {
		cutting = r.cutClaims
	}
	cut, err := cutting(ctx)
	if err != nil {
		return err
	}
	c.TakenAt, c.Pause = cut.At, cut.Pause
	return r.copyRaw(ctx, c, cut)
}

func (r Request) copyRaw(ctx context.Context, c *sluice.Checkpoint, cut sluice.Cut) (err error) {
	c.Copy, err = r.copy(ctx, r.copying(r.rawID()), cut, "copying "+r.Spec.Name+" of "+r.Target)
	return err
}

// captureStopped is capture with a stopped source.
func (r Request) captureStopped(ctx context.Context, m sluice.Mover, c *sluice.Checkpoint, begun bool) (err error) {
	began := r.Now()
	defer func() {
		if failed := r.startSourceAnyway(ctx); failed != nil {
			err = errors.Join(err, failed)
		}
		c.Pause = r.Now().Sub(began)
	}()
	if err := r.Stop(ctx); err != nil {
		return err
	}
	stopped, err := r.Workload(ctx)
	if err != nil {
		return err
	}
	if !begun {
		states, err := r.states(ctx)
		if err == nil {
			err = r.dropParts(ctx, states)
		}
		if err != nil {
			return err
		}
	}
	cut, err := r.cutClaims(ctx)
	if err != nil {
		return err
	}
	c.TakenAt = cut.At
	if err := r.copyRaw(ctx, c, cut); err != nil {
		return err
	}
	return r.checkStopped(ctx, m, stopped)
}

// checkStopped deletes the copy if the workload was started while it was made: it would hold several instants.
func (r Request) checkStopped(ctx context.Context, m sluice.Mover, stopped sluice.Object) error {
	now, err := r.Workload(ctx)
	if err != nil {
		return err
	}
	n := now.Number(1, "spec", "replicas")
	if n == 0 && now.Number(0, "metadata", "generation") == stopped.Number(0, "metadata", "generation") {
		return nil
	}
	return errors.Join(r.scaledBack(now, n), m.Delete(ctx, r.Place, r.rawID()))
}

// startSource starts a source that was stopped to be cut. It does not touch a source that runs.
func (r Request) startSource(ctx context.Context) error {
	back, err := r.bringSourceBack(ctx)
	if err != nil || !back || !r.Was.Ready {
		return err
	}
	return r.Ready(ctx, r.Place.Account, r.Was.Workload.Ref())
}

func (r Request) bringSourceBack(ctx context.Context) (back bool, err error) {
	now, err := r.Workload(ctx)
	if err != nil || now == nil || !isStopped(now, r.Was.Workload) {
		return false, err
	}
	r.say("starting " + r.Spec.Workload + " of " + r.Target + " again")
	return true, r.bringBack(ctx, r.Was.Workload)
}

// startSourceAnyway also starts the source if ctx has ended, because nothing else would until the deployment is
// resumed. It first ends the copying, which needs the source stopped.
func (r Request) startSourceAnyway(ctx context.Context) error {
	if ctx.Err() == nil {
		return r.startSource(ctx)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterwards)
	defer cancel()
	if err := r.cancel(ctx, r.copying(r.rawID())); err != nil {
		return err
	}
	_, err := r.bringSourceBack(ctx)
	return err
}

// isStopped reports whether Sluice has stopped, or was about to stop, the workload that was once running.
func isStopped(now, was sluice.Object) bool {
	const policy, scaled = "persistentVolumeClaimRetentionPolicy", "whenScaled"
	return now.Number(1, "spec", "replicas") == 0 && was.Number(1, "spec", "replicas") > 0 ||
		now.Text("spec", policy, scaled) != was.Text("spec", policy, scaled)
}

// cut copies all claims at one instant, between the quiesce commands if there are any. A stopped workload needs none,
// and has no pod to run them in.
func (r Request) cut(ctx context.Context) (cut sluice.Cut, err error) {
	if r.Stopped == nil && len(r.Spec.Quiesce.Before)+len(r.Spec.Quiesce.After) > 0 {
		defer func() {
			// also if ctx has ended: nothing else would resume the source
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterwards)
			defer cancel()
			if after := r.run(ctx, r.Spec.Quiesce.After); err == nil {
				err = after
			}
		}()
		if err := r.run(ctx, r.Spec.Quiesce.Before); err != nil {
			return cut, err
		}
	}
	states, err := r.states(ctx)
	if err != nil {
		return cut, err
	}
	if r.locks(states) {
		return r.cutLocked(ctx)
	}
	if err := r.dropParts(ctx, states); err != nil {
		return cut, err
	}
	return r.cutClaims(ctx)
}

func (r Request) states(ctx context.Context) ([]sluice.ClaimState, error) {
	return r.Place.Account.Volumes.Describe(ctx, r.Place.Namespace, r.Spec.Claims)
}

// dropParts discards the snapshots that an interrupted call has taken of some claims, because they are of another
// instant than those that are still to be taken.
func (r Request) dropParts(ctx context.Context, states []sluice.ClaimState) error {
	if !inTurn(states) {
		return nil
	}
	return r.discard(ctx, r.generation())
}

func (r Request) cutClaims(ctx context.Context) (sluice.Cut, error) {
	r.say("cutting " + r.Spec.Name + " of " + r.Target)
	return r.Place.Account.Volumes.Cut(ctx, r.Place.Namespace, r.Spec.Claims, r.generation(), lease)
}

// resume resumes a source that a crash left stopped or quiesced. A source without a workload is stopped for another
// reason.
func (r Request) resume(ctx context.Context) error {
	if r.Was != nil {
		if err := r.cancel(ctx, r.copying(r.rawID())); err != nil {
			return err
		}
		if err := r.startSource(ctx); err != nil {
			return err
		}
	}
	if len(r.Spec.Quiesce.After) == 0 {
		return nil
	}
	workload, err := r.Workload(ctx)
	if err != nil || workload == nil {
		return err
	}
	return r.run(ctx, r.Spec.Quiesce.After)
}

// run runs the commands in every pod of the workload.
func (r Request) run(ctx context.Context, commands [][]string) error {
	if len(commands) == 0 {
		return nil
	}
	ref, err := sluice.ParseRef(r.Spec.Workload, r.Place.Namespace)
	if err != nil {
		return err
	}
	pods, err := r.Place.Account.Pods(ctx, r.Place.Namespace)
	if err != nil {
		return err
	}
	pods = slices.DeleteFunc(pods, func(p sluice.Pod) bool { return p.Owner != ref.String() })
	if len(pods) == 0 {
		return sluice.Errorf(sluice.Failed, "%s has no pod in which the quiesce commands could run", r.Spec.Workload).
			At(r.Spec.Pos)
	}
	var all error
	for _, pod := range pods {
		for _, command := range commands {
			if _, err := r.Place.Account.Exec(ctx, r.Place.Namespace, pod.Name, command); err != nil {
				all = errors.Join(all, err)
				break
			}
		}
	}
	return all
}
