package dataset

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// endings bounds how long a stopped workload's pods may take to end, beyond what they ask for themselves.
const endings = 10 * time.Minute

var errStillThere = errors.New("the pods do not end")

// Stop scales the workload to zero and returns once its last pod is gone, so that its volumes are free. The workload
// stays the same object, and everything that belongs to it stays, its claims too. If somebody scales the workload back,
// Stop is a Conflict that names who did.
func (d Dataset) Stop(ctx context.Context) error {
	workload, err := d.Workload(ctx)
	if err != nil || workload == nil {
		return err
	}
	if err := d.keepClaims(ctx, workload); err != nil {
		return err
	}
	ref := workload.Ref()
	if err := d.Place.Account.Scale(ctx, ref, 0); err != nil {
		return err
	}
	grace := time.Duration(workload.Number(30, "spec", "template", "spec", "terminationGracePeriodSeconds")) * time.Second
	bounded, cancel := context.WithTimeoutCause(ctx, grace+endings, errStillThere)
	defer cancel()
	err = d.awaitEmpty(bounded, ref)
	if err != nil && ctx.Err() == nil && context.Cause(bounded) != nil {
		return d.stillThere(ctx, ref)
	}
	return err
}

// keepClaims keeps a StatefulSet from deleting its claims when it is scaled down.
func (d Dataset) keepClaims(ctx context.Context, workload sluice.Object) error {
	if workload.Text("spec", "persistentVolumeClaimRetentionPolicy", "whenScaled") != "Delete" {
		return nil
	}
	keeping := bare(workload)
	keeping.Set("Retain", "spec", "persistentVolumeClaimRetentionPolicy", "whenScaled")
	_, _, err := d.Place.Account.Apply(ctx, keeping, false)
	return err
}

// awaitEmpty returns once the workload has no pods.
func (d Dataset) awaitEmpty(ctx context.Context, ref sluice.Ref) error {
	for o, err := range d.Place.Account.Follow(ctx, ref) {
		if err != nil {
			return err
		}
		if o.Text("metadata", "deletionTimestamp") != "" {
			break
		}
		if n := o.Number(1, "spec", "replicas"); n > 0 {
			return d.scaledBack(o, n)
		}
		if isEmpty(o) {
			break
		}
		d.say(fmt.Sprintf("stopping %s of %s: %d pods are left", ref, d.Target, o.Number(0, "status", "replicas")))
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	pods, err := d.Place.Account.Pods(ctx, ref.Namespace, ref)
	if err != nil {
		return err
	}
	// Not every controller counts the pods that are still ending.
	for _, p := range pods {
		if err := d.awaitGone(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// isEmpty reports whether the workload's controller knows of no pod any more.
func isEmpty(o sluice.Object) bool {
	seen, wanted := o.Number(-1, "status", "observedGeneration"), o.Number(-1, "metadata", "generation")
	return (seen < 0 || seen >= wanted) && o.Number(0, "status", "replicas") == 0 &&
		o.Number(0, "status", "terminatingReplicas") == 0
}

// awaitGone returns once the pod is gone.
func (d Dataset) awaitGone(ctx context.Context, p sluice.Pod) error {
	d.say("waiting for the pod " + p.Name + " of " + d.Target + " to end")
	ref := sluice.Ref{APIVersion: "v1", Kind: "Pod", Namespace: p.Namespace, Name: p.Name}
	for o, err := range d.Place.Account.Follow(ctx, ref) {
		if err != nil {
			return err
		}
		if o.Text("metadata", "deletionTimestamp") != "" {
			return nil
		}
	}
	return ctx.Err()
}

// stillThere names the pods that do not end.
func (d Dataset) stillThere(ctx context.Context, ref sluice.Ref) error {
	pods, err := d.Place.Account.Pods(ctx, ref.Namespace, ref)
	if err != nil {
		return err
	}
	list := make([]string, len(pods))
	for i, p := range pods {
		list[i] = p.Name
	}
	return sluice.Errorf(sluice.Failed, "%s of %s is stopped, but its pods do not end: %s", ref, d.Target,
		strings.Join(list, ", ")).
		WithHint("if their node is lost, delete them with: kubectl delete pod --force --namespace %s %s",
			ref.Namespace, strings.Join(list, " "))
}

// scaledBack says who started a workload that was stopped.
func (d Dataset) scaledBack(o sluice.Object, n int) error {
	return sluice.Errorf(sluice.Conflict, "%s of %s was stopped, and %s scaled it back to %d", o.Ref(), d.Target,
		scaler(o), n).
		WithHint("suspend what scales it as long as the data is replaced, such as an autoscaler or an operator").
		At(d.Spec.Pos)
}

// scaler names who decides on the workload's number of pods: the object that controls it, otherwise the manager of the
// number.
func scaler(o sluice.Object) string {
	for _, owner := range o.List("metadata", "ownerReferences") {
		if owner.Field("controller") == true {
			return owner.Text("kind") + "/" + owner.Text("name")
		}
	}
	for _, e := range o.List("metadata", "managedFields") {
		if e.Field("fieldsV1", "f:spec", "f:replicas") != nil && !strings.HasPrefix(e.Text("manager"), sluice.Manager) {
			return e.Text("manager")
		}
	}
	return "somebody"
}

// start applies the workload with so many pods, and returns once it is ready.
func (d Dataset) start(ctx context.Context, workload sluice.Object, replicas int) error {
	workload = sized(workload, replicas)
	now, _, err := d.Place.Account.Apply(ctx, workload, false)
	if err != nil {
		return err
	}
	ref := workload.Ref()
	ref.Namespace = d.Place.Namespace
	if now.Number(1, "spec", "replicas") != replicas { // the number belongs to somebody else
		if err := d.Place.Account.Scale(ctx, ref, replicas); err != nil {
			return err
		}
	}
	return d.Ready(ctx, d.Place.Account, ref)
}

// startAgain brings the workload back as it was, also one that is partly back. It does not touch one that nobody
// changed.
func (d Dataset) startAgain(ctx context.Context, b Before) error {
	now, err := d.Workload(ctx)
	if err != nil {
		return err
	}
	same := isSame(b.Workload, now)
	if !same {
		err = d.bringBack(ctx, b.Workload)
	}
	if err != nil || !b.Ready || same && manifest.Status(now).Phase == manifest.Ready {
		return err
	}
	return d.Ready(ctx, d.Place.Account, b.Workload.Ref())
}

// bringBack restores the workload with its number of pods. A field that others have taken over meanwhile is a Conflict,
// which is returned after everything else is back.
func (d Dataset) bringBack(ctx context.Context, was sluice.Object) error {
	ref, replicas := was.Ref(), was.Number(1, "spec", "replicas")
	now, _, err := d.Place.Account.Restore(ctx, was, false)
	if err != nil && sluice.ErrorCode(err) != sluice.Conflict || now.Number(1, "spec", "replicas") == replicas {
		return err
	}
	return errors.Join(err, d.Place.Account.Scale(ctx, ref, replicas))
}

// sized returns the workload with another number of pods.
func sized(workload sluice.Object, replicas int) sluice.Object {
	o := workload.Clone()
	o.Set(int64(replicas), "spec", "replicas")
	return o
}

// isSame reports whether both are the same object but for what its cluster adds.
func isSame(a, b sluice.Object) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	one, err := json.Marshal(bare(a))
	other, err2 := json.Marshal(bare(b))
	return err == nil && err2 == nil && bytes.Equal(one, other)
}

// remove deletes the workload and returns once its last pod is gone.
func (d Dataset) remove(ctx context.Context) error {
	if d.Spec.Workload == "" {
		return nil
	}
	ref, err := sluice.ParseRef(d.Spec.Workload, d.Place.Namespace)
	if err != nil {
		return err
	}
	return d.Place.Account.Delete(ctx, ref)
}

// stoppable refuses a workload that cannot be stopped and started again.
func (d Dataset) stoppable() error {
	if d.Spec.Workload == "" {
		return nil
	}
	ref, err := sluice.ParseRef(d.Spec.Workload, d.Place.Namespace)
	if err != nil {
		return err
	}
	if slices.Contains([]string{"CronJob", "DaemonSet", "Job", "Pod"}, ref.Kind) {
		return sluice.Errorf(sluice.Unsupported, "the workload %s of the dataset %s cannot be scaled to zero pods",
			ref, d.Spec.Name).
			WithHint("run the database in a StatefulSet or a Deployment").At(d.Spec.Pos)
	}
	return nil
}

// unshared refuses claims that pods of other workloads use: they would go on with the old data.
func (d Dataset) unshared(ctx context.Context) error {
	var claims []string
	for _, claim := range d.Spec.Claims {
		o, err := d.get(ctx, claimRef(d.Place.Namespace, claim))
		if err != nil {
			return err
		}
		if o != nil {
			claims = append(claims, claim)
		}
	}
	if len(claims) == 0 {
		return nil
	}
	states, err := d.Place.Account.Volumes.Describe(ctx, d.Place.Namespace, claims)
	if err != nil {
		return err
	}
	return d.checkUsers(states)
}

func (d Dataset) checkUsers(states []sluice.ClaimState) error {
	own := ""
	if ref, err := sluice.ParseRef(d.Spec.Workload, ""); err == nil {
		own = ref.String()
	}
	for _, s := range states {
		others := slices.DeleteFunc(slices.Clone(s.Users), func(user string) bool { return user == own })
		if len(others) > 0 {
			return sluice.Errorf(sluice.Conflict, "the claim %s of %s is also used by %s", s.Claim, d.Target,
				strings.Join(others, ", ")).
				WithHint("only the workload of the dataset %s may use it; stop the other one first", d.Spec.Name).At(d.Spec.Pos)
		}
	}
	return nil
}
