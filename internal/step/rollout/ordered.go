package rollout

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
	"github.com/sluice-cd/sluice/internal/step/delivery"
	"github.com/sluice-cd/sluice/internal/step/object"
	"github.com/sluice-cd/sluice/internal/step/ready"
)

// A StatefulSet or DaemonSet has no second copy: its new version comes pod by pod, so many of them as the weight
// says, and promotion brings the rest. It is held back by a partition where its own order will do, and otherwise
// by the strategy OnDelete, under which its pods are evicted one at a time in an order of ours.

// isOrdered reports whether the workload has pods that can change one after the other.
func isOrdered(o sluice.Object) bool {
	switch o.Text("kind") {
	case "StatefulSet":
		return o.Number(1, "spec", "replicas") > 1
	case "DaemonSet":
		return true
	}
	return false
}

// byPartition reports whether the controller's own order, from the highest ordinal to the lowest, will do.
func byPartition(o sluice.Object) bool {
	return o.Text("kind") == "StatefulSet" && o.Text("spec", "updateStrategy", "type") != "OnDelete" &&
		o.Text("metadata", "annotations", sluice.PrimaryLabels) == "" && o.Text("metadata", "annotations", sluice.PrimaryProbe) == ""
}

// through returns how many of n pods have the new version at the percentage: rounded up, so that any weight above
// 0 changes a pod.
func through(n, percent int) int { return min(n, (n*max(percent, 0)+99)/100) }

// heldAt returns the workload with the new template, which the pods from the partition's ordinal on get.
func heldAt(o sluice.Object, partition int, id sluice.DeploymentID) sluice.Object {
	h := o.Clone()
	h.Set(string(id), "metadata", "annotations", delivery.MadeBy)
	if !byPartition(o) {
		h.Set(map[string]any{"type": "OnDelete"}, "spec", "updateStrategy")
		return h
	}
	h.Set("RollingUpdate", "spec", "updateStrategy", "type")
	h.Set(int64(partition), "spec", "updateStrategy", "rollingUpdate", "partition")
	return h
}

// like returns the workload held back as far as it is now.
func like(o, now sluice.Object, id sluice.DeploymentID) sluice.Object {
	return heldAt(o, now.Number(0, "spec", "updateStrategy", "rollingUpdate", "partition"), id)
}

// isHeld reports whether the deployment holds the workload back.
func isHeld(o sluice.Object, id sluice.DeploymentID) bool {
	return o != nil && o.Text("metadata", "annotations", delivery.MadeBy) == string(id)
}

// held returns the target's workloads that the deployment holds back.
func held(ctx context.Context, a sluice.Account, objects []sluice.Object, id sluice.DeploymentID) ([]sluice.Object, error) {
	var list []sluice.Object
	for _, o := range object.OfKind(objects, "StatefulSet", "DaemonSet") {
		now, err := object.Get(ctx, a, o.Ref())
		if err != nil {
			return nil, err
		}
		if isHeld(now, id) {
			list = append(list, o)
		}
	}
	return list, nil
}

// heldAsNow makes, of the declared workloads that refs name, what the weights made of them, so that they are known as
// our own.
func heldAsNow(ctx context.Context, a sluice.Account, objects []sluice.Object, refs []sluice.Ref, id sluice.DeploymentID) error {
	for i, o := range objects {
		if !slices.Contains(refs, o.Ref()) {
			continue
		}
		now, err := object.Get(ctx, a, o.Ref())
		if err != nil {
			return err
		}
		if isHeld(now, id) {
			objects[i] = like(o, now, id)
		}
	}
	return nil
}

// holdAt puts the partitions back to where the percentage has them. Pods that are new already stay so.
func (t tracks) holdAt(ctx context.Context, percent int) error {
	list, err := held(ctx, t.account, t.objects, t.sc.Deployment)
	if err != nil {
		return err
	}
	for _, o := range list {
		if !byPartition(o) {
			continue
		}
		now, err := object.Get(ctx, t.account, o.Ref())
		if err != nil {
			return err
		}
		n := now.Number(1, "spec", "replicas")
		if _, _, err := object.Apply(ctx, t.account, heldAt(o, n-through(n, percent), t.sc.Deployment)); err != nil {
			return err
		}
	}
	return nil
}

// rollTo brings the new version to so many pods of the held workloads as the percentage says, and returns what it
// did in words.
func (t tracks) rollTo(ctx context.Context, percent int) (string, error) {
	list, err := held(ctx, t.account, t.objects, t.sc.Deployment)
	if err != nil {
		return "", err
	}
	var words []string
	for _, o := range list {
		word, err := t.roll(ctx, o, percent)
		if err != nil {
			return "", err
		}
		words = append(words, word)
	}
	return strings.Join(words, ", "), nil
}

func (t tracks) roll(ctx context.Context, o sluice.Object, percent int) (string, error) {
	if !byPartition(o) {
		return t.replace(ctx, o, percent)
	}
	now, err := object.Get(ctx, t.account, o.Ref())
	if err != nil {
		return "", err
	}
	n := now.Number(1, "spec", "replicas")
	pods := through(n, percent)
	if _, _, err := object.Apply(ctx, t.account, heldAt(o, n-pods, t.sc.Deployment)); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d of %d pods of %s are new", pods, n, o.Ref()), t.watcher.Ready(ctx, []sluice.Ref{o.Ref()})
}

// replace evicts pods of the old revision, one at a time, until so many are new, and waits for each. Of several that are
// broken none is worth waiting for.
func (t tracks) replace(ctx context.Context, o sluice.Object, percent int) (string, error) {
	for {
		n, old, all, err := t.outdated(ctx, o)
		if err != nil {
			return "", err
		}
		updated := len(all) - len(old)
		if updated >= through(n, percent) || len(old) == 0 {
			return fmt.Sprintf("%d of %d pods of %s are new", updated, n, o.Ref()), t.watcher.Ready(ctx, []sluice.Ref{o.Ref()})
		}
		last, err := t.primary(ctx, o, all)
		if err != nil {
			return "", err
		}
		next := order(old, last)
		if err := t.evict(ctx, next[0]); err != nil {
			return "", err
		}
		if !next[0].Ready && len(next) > 1 && !next[1].Ready {
			continue
		}
		if err := t.await(ctx, o.Ref(), updated+1); err != nil {
			return "", err
		}
	}
}

func (t tracks) evict(ctx context.Context, p sluice.Pod) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t.watcher.Report(sluice.Progress{State: sluice.Running, Message: "replaces pod " + p.Name})
	bounded, cancel := t.watcher.Bounded(ctx)
	defer cancel()
	err := t.account.Evict(bounded, p.Namespace, p.Name)
	if err != nil && ready.IsTimeout(context.Cause(bounded)) {
		err = sluice.Errorf(sluice.Failed, "it could not be replaced in time").
			WithHint("see which disruption budget forbids it: kubectl get poddisruptionbudgets --namespace %s", p.Namespace)
	}
	return object.WithOp("evict", sluice.Ref{Kind: "Pod", Name: p.Name}, err)
}

// await waits until so many pods are new and all are ready. Right after an eviction the workload may still be counted as
// ready, so that is no answer before the new pod is counted too.
func (t tracks) await(ctx context.Context, ref sluice.Ref, updated int) error {
	err := t.watcher.Watch(ctx, ref, func(o sluice.Object) (bool, string, error) {
		state := manifest.Status(o)
		return state.Phase == manifest.Failed || updatedPods(o) >= updated, fmt.Sprintf("%d of its pods are new", updatedPods(o)), nil
	})
	if err != nil && !ready.IsTimeout(err) {
		return err
	}
	return t.watcher.Ready(ctx, []sluice.Ref{ref})
}

// updatedPods is how many pods of the newest revision the workload has, as its controller counts them.
func updatedPods(o sluice.Object) int {
	if o.Text("kind") == "DaemonSet" {
		return o.Number(0, "status", "updatedNumberScheduled")
	}
	n := o.Number(0, "status", "updatedReplicas")
	if o.Text("status", "currentRevision") == o.Text("status", "updateRevision") {
		return max(n, o.Number(0, "status", "currentReplicas"))
	}
	return n
}

// outdated returns how many pods the workload wants, those of any revision but the wanted one, and all of them.
func (t tracks) outdated(ctx context.Context, o sluice.Object) (n int, old, all []sluice.Pod, err error) {
	revision, err := t.revision(ctx, o.Ref())
	if err != nil {
		return 0, nil, nil, err
	}
	now, err := t.account.Get(ctx, o.Ref())
	if err != nil {
		return 0, nil, nil, object.WithOp("read", o.Ref(), err)
	}
	pods, err := t.account.Pods(ctx, o.Ref().Namespace)
	if err != nil {
		return 0, nil, nil, object.WithOp("list the pods of", o.Ref(), err)
	}
	for _, p := range pods {
		if p.Owner != o.Ref().String() {
			continue
		}
		all = append(all, p)
		if p.Revision != revision {
			old = append(old, p)
		}
	}
	if o.Text("kind") == "DaemonSet" {
		return now.Number(len(all), "status", "desiredNumberScheduled"), old, all, nil
	}
	return now.Number(1, "spec", "replicas"), old, all, nil
}

// revision returns the revision that the workload's new pods have, once its controller has seen the change: a
// StatefulSet's status names it, a DaemonSet's newest ControllerRevision does.
func (t tracks) revision(ctx context.Context, ref sluice.Ref) (revision string, err error) {
	if ref.Kind == "DaemonSet" {
		return t.newestRevision(ctx, ref)
	}
	err = t.watcher.Watch(ctx, ref, func(o sluice.Object) (bool, string, error) {
		revision = o.Text("status", "updateRevision")
		return revision != "" && isSeen(o), unseen, nil
	})
	return revision, err
}

func (t tracks) newestRevision(ctx context.Context, ref sluice.Ref) (string, error) {
	err := t.watcher.Watch(ctx, ref, func(o sluice.Object) (bool, string, error) { return isSeen(o), unseen, nil })
	if err != nil {
		return "", err
	}
	revisions, err := t.account.List(ctx, "apps/v1", "ControllerRevision", ref.Namespace)
	if err != nil {
		return "", object.WithOp("list the revisions of", ref, err)
	}
	newest, hash := -1, ""
	for _, r := range revisions {
		owners, _ := r.Field("metadata", "ownerReferences").([]any)
		if len(owners) == 0 || object.Map(owners[0]).Text("name") != ref.Name || object.Map(owners[0]).Text("kind") != ref.Kind {
			continue
		}
		if n := r.Number(0, "revision"); n > newest {
			newest, hash = n, r.Text("metadata", "labels", "controller-revision-hash")
		}
	}
	return hash, nil
}

// unseen says what a workload waits for whose controller has yet to look at it.
const unseen = "its controller has not seen the change yet"

func isSeen(o sluice.Object) bool {
	return o.Number(0, "status", "observedGeneration") >= o.Number(0, "metadata", "generation")
}

// probeTimeout bounds the question to one pod whether it is the primary.
const probeTimeout = 10 * time.Second

// primary returns the name of the pod that goes last, "" where none is named or none is found.
func (t tracks) primary(ctx context.Context, o sluice.Object, pods []sluice.Pod) (string, error) {
	labels, probe := o.Text("metadata", "annotations", sluice.PrimaryLabels), o.Text("metadata", "annotations", sluice.PrimaryProbe)
	for _, p := range pods {
		if labels != "" && hasLabels(p, labels) {
			return p.Name, nil
		}
		if probe == "" || !p.Ready {
			continue // what does not run cannot be asked
		}
		if yes, err := t.says(ctx, p, probe); yes || err != nil {
			return p.Name, err
		}
	}
	return "", nil
}

// says reports whether the pod says of itself that it is the primary.
func (t tracks) says(ctx context.Context, p sluice.Pod, probe string) (bool, error) {
	asking, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	_, err := t.account.Exec(asking, p.Namespace, p.Name, []string{"sh", "-c", probe})
	switch {
	case err == nil:
		return true, nil
	case asking.Err() != nil && ctx.Err() == nil:
		return false, sluice.Errorf(sluice.Failed, "Pod/%s did not say within %s whether it is the primary", p.Name, probeTimeout).
			WithHint("let the command in the annotation %s give up by itself", sluice.PrimaryProbe)
	case sluice.ErrorCode(err) == sluice.Failed:
		return false, nil
	}
	return false, object.WithOp("ask for the primary in", sluice.Ref{Kind: "Pod", Name: p.Name}, err)
}

func hasLabels(p sluice.Pod, want string) bool {
	for label := range strings.SplitSeq(want, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(label), "=")
		if p.Labels[key] != value {
			return false
		}
	}
	return true
}

// order puts the pods that are not ready first, then the highest ordinal, and the named one last.
func order(pods []sluice.Pod, last string) []sluice.Pod {
	return slices.SortedFunc(slices.Values(pods), func(a, b sluice.Pod) int {
		return cmp.Or(truth(a.Name == last)-truth(b.Name == last), truth(a.Ready)-truth(b.Ready), ordinal(b)-ordinal(a), cmp.Compare(a.Name, b.Name))
	})
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

func ordinal(p sluice.Pod) int {
	n, err := strconv.Atoi(p.Name[strings.LastIndexByte(p.Name, '-')+1:])
	if err != nil {
		return 0 // a DaemonSet's pods have none
	}
	return n
}
