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
	"github.com/sluice-cd/sluice/internal/step/object"
	"github.com/sluice-cd/sluice/internal/step/ready"
)

// replacePods evicts pods of the old revision, one at a time, until as many are new as the percentage says, and waits
// for each. It does not wait between pods that are broken already. It evicts only pods that were there at first, and
// each of them once.
func (t tracks) replacePods(ctx context.Context, o sluice.Object, percent int) (string, error) {
	var due map[string]bool
	for {
		n, old, all, err := t.outdated(ctx, o)
		if err != nil {
			return "", err
		}
		if due == nil {
			due = names(old)
		}
		if i := slices.IndexFunc(old, func(p sluice.Pod) bool { return !due[p.Name] }); i >= 0 {
			return "", cameBack(o.Ref(), old[i])
		}
		if n+len(all) == 0 {
			return "no node runs " + o.Ref().String(), nil
		}
		updated := len(all) - len(old)
		if updated >= podsAt(n, percent) || len(old) == 0 {
			return fmt.Sprintf("%d of %d pods of %s are new", updated, n, o.Ref()), t.waiter.Ready(ctx, []sluice.Ref{o.Ref()})
		}
		last, err := t.primary(ctx, o, all)
		if err != nil {
			return "", err
		}
		next := order(old, last)
		if err := t.evict(ctx, next[0]); err != nil {
			return "", err
		}
		delete(due, next[0].Name)
		if !next[0].Ready && len(next) > 1 && !next[1].Ready {
			continue
		}
		if err := t.awaitUpdated(ctx, o.Ref(), updated+1); err != nil {
			return "", err
		}
	}
}

func names(pods []sluice.Pod) map[string]bool {
	set := map[string]bool{}
	for _, p := range pods {
		set[p.Name] = true
	}
	return set
}

// cameBack is the error for a pod that was made anew and does not have the version that its set wants. To evict it
// again would change nothing and never end.
func cameBack(set sluice.Ref, p sluice.Pod) error {
	return sluice.Errorf(sluice.Failed, "Pod/%s was made anew and still has the revision %s, which %s does not want",
		p.Name, p.Revision, set).
		WithHint("see which revision it wants: kubectl get controllerrevisions --namespace %s", set.Namespace)
}

func (t tracks) evict(ctx context.Context, p sluice.Pod) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t.waiter.Report(sluice.Progress{State: sluice.Running, Message: "replaces pod " + p.Name})
	inTime, err := evict(ctx, t.waiter, p)
	if !inTime {
		err = sluice.Errorf(sluice.Failed, "it could not be replaced in time").
			WithHint("see which disruption budget forbids it: kubectl get poddisruptionbudgets --namespace %s", p.Namespace)
	}
	return object.WithOp("evict", sluice.Ref{Kind: "Pod", Name: p.Name}, err)
}

// awaitUpdated waits until so many pods are new and all are ready. Right after an eviction the set may still count as
// ready, so it waits until the new pod is counted too. A pod that may be unready is given the time to start: otherwise
// the next one would be evicted beside it.
func (t tracks) awaitUpdated(ctx context.Context, ref sluice.Ref, updated int) error {
	err := t.waiter.Watch(ctx, ref, func(o sluice.Object) (bool, string, error) {
		n := updatedPods(o)
		phase := manifest.Status(o).Phase
		done := n >= updated && (phase == manifest.Ready || t.waiter.MaxUnready == sluice.Tolerance{}) ||
			phase == manifest.Failed
		return done, fmt.Sprintf("%d of its pods are new", n), nil
	})
	if err != nil && !ready.IsTimeout(err) {
		return err
	}
	return t.waiter.Ready(ctx, []sluice.Ref{ref})
}

// updatedPods is how many pods of the newest revision the set has, as its controller counts them.
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

// outdated returns how many pods the set wants, those of any revision but the wanted one, and all of them.
func (t tracks) outdated(ctx context.Context, o sluice.Object) (n int, old, all []sluice.Pod, err error) {
	revision, err := t.revision(ctx, o.Ref())
	if err != nil {
		return 0, nil, nil, err
	}
	now, err := t.account.Get(ctx, o.Ref())
	if err != nil {
		return 0, nil, nil, object.WithOp("read", o.Ref(), err)
	}
	pods, err := t.account.Pods(ctx, o.Ref().Namespace, o.Ref())
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

// revision returns the revision that the set's new pods have, once its controller has seen the change. The status of a
// StatefulSet names it; for a DaemonSet it is the newest ControllerRevision.
func (t tracks) revision(ctx context.Context, ref sluice.Ref) (revision string, err error) {
	if ref.Kind == "DaemonSet" {
		return t.newestRevision(ctx, ref)
	}
	err = t.waiter.Watch(ctx, ref, func(o sluice.Object) (bool, string, error) {
		revision = o.Text("status", "updateRevision")
		return revision != "" && isSeen(o), unseen, nil
	})
	return revision, err
}

func (t tracks) newestRevision(ctx context.Context, ref sluice.Ref) (string, error) {
	err := t.waiter.Watch(ctx, ref, func(o sluice.Object) (bool, string, error) { return isSeen(o), unseen, nil })
	if err != nil {
		return "", err
	}
	revisions, err := t.account.List(ctx, "apps/v1", "ControllerRevision", ref.Namespace)
	if err != nil {
		return "", object.WithOp("list the revisions of", ref, err)
	}
	newest, hash := -1, ""
	for _, r := range revisions {
		owners := r.List("metadata", "ownerReferences")
		if len(owners) == 0 || owners[0].Text("name") != ref.Name || owners[0].Text("kind") != ref.Kind {
			continue
		}
		if n := r.Number(0, "revision"); n > newest {
			newest, hash = n, r.Text("metadata", "labels", "controller-revision-hash")
		}
	}
	return hash, nil
}

// unseen says that the set's controller has not seen the change yet.
const unseen = "its controller has not seen the change yet"

func isSeen(o sluice.Object) bool {
	return o.Number(0, "status", "observedGeneration") >= o.Number(0, "metadata", "generation")
}

// probeTimeout bounds the question to one pod whether it is the primary.
const probeTimeout = 10 * time.Second

// primary returns the name of the pod that changes last, "" if the set names none or none is found.
func (t tracks) primary(ctx context.Context, o sluice.Object, pods []sluice.Pod) (string, error) {
	labels := o.Text("metadata", "annotations", sluice.PrimaryLabels)
	probe := o.Text("metadata", "annotations", sluice.PrimaryProbe)
	for _, p := range pods {
		if labels != "" && hasLabels(p, labels) {
			return p.Name, nil
		}
		if probe == "" || !p.Ready {
			continue // a pod that does not run cannot be asked
		}
		if yes, err := t.isPrimary(ctx, p, probe); yes || err != nil {
			return p.Name, err
		}
	}
	return "", nil
}

// isPrimary asks the pod whether it is the primary.
func (t tracks) isPrimary(ctx context.Context, p sluice.Pod, probe string) (bool, error) {
	asking, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	_, err := t.account.Exec(asking, p.Namespace, p.Name, []string{"sh", "-c", probe})
	switch {
	case err == nil:
		return true, nil
	case asking.Err() != nil && ctx.Err() == nil:
		return false, sluice.Errorf(sluice.Failed,
			"Pod/%s did not say within %s whether it is the primary", p.Name, probeTimeout).
			WithHint("make the command in the annotation %s end within that time", sluice.PrimaryProbe)
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

// order puts pods that are not ready first, then those of the highest ordinals, and the named one last.
func order(pods []sluice.Pod, last string) []sluice.Pod {
	return slices.SortedFunc(slices.Values(pods), func(a, b sluice.Pod) int {
		return cmp.Or(
			number(a.Name == last)-number(b.Name == last),
			number(a.Ready)-number(b.Ready),
			ordinal(b)-ordinal(a),
			cmp.Compare(a.Name, b.Name))
	})
}

func number(b bool) int {
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

// replaceBroken replaces the broken pods of StatefulSets that were put back: their controller would wait for a broken
// pod for ever. It does not report whether all pods finally become ready.
func replaceBroken(ctx context.Context, w ready.Waiter, refs []sluice.Ref) error {
	for _, ref := range refs {
		if ref.Kind != "StatefulSet" {
			continue
		}
		r := repair{Waiter: w, set: ref, evicted: map[string]bool{}}
		err := w.Watch(ctx, ref, func(o sluice.Object) (bool, string, error) { return r.look(ctx, o) })
		switch {
		case sluice.ErrorCode(err) == sluice.Denied: // somebody else may replace them
			w.Report(sluice.Progress{State: sluice.Running, Message: "broken pods stay: " + err.Error()})
		case err != nil && !ready.IsTimeout(err):
			return err
		}
	}
	return nil
}

// A repair is that of one StatefulSet.
type repair struct {
	ready.Waiter
	set     sluice.Ref
	looked  bool
	evicted map[string]bool // pods; each is evicted once
}

// look waits until the controller makes pods from the old template: before that it would make broken ones again.
func (r *repair) look(ctx context.Context, o sluice.Object) (done bool, missing string, err error) {
	if !isSeen(o) {
		return false, unseen, nil
	}
	state := manifest.Status(o)
	if state.Phase == manifest.Ready {
		return true, "", nil
	}
	evicted, err := r.evict(ctx, o)
	return state.Phase == manifest.Failed && evicted == 0, state.Message, err
}

// evict takes away the pods that are broken. If an account keeps no revisions, these are the pods that are not ready at
// first.
func (r *repair) evict(ctx context.Context, set sluice.Object) (n int, err error) {
	pods, err := r.Account.Pods(ctx, r.set.Namespace, r.set)
	if err != nil {
		return 0, object.WithOp("list the pods of", r.set, err)
	}
	for _, p := range pods {
		isOld := p.Revision != "" && p.Revision != wantedRevision(set, p) || p.Revision == "" && !r.looked
		if p.Owner != r.set.String() || p.Ready || !isOld {
			continue
		}
		if r.evicted[p.Name] {
			return n, cameBack(r.set, p)
		}
		if err := ctx.Err(); err != nil {
			return n, err
		}
		// A pod that does not go before the deadline, as on a node that died, is left to its controller.
		inTime, err := evict(ctx, r.Waiter, p)
		if err != nil && inTime {
			return n, object.WithOp("replace the pods of", r.set, err)
		}
		r.evicted[p.Name] = inTime
		n++
	}
	r.looked = true
	return n, nil
}

// wantedRevision returns the revision that the pod of the StatefulSet should have: below the partition the one before.
func wantedRevision(set sluice.Object, p sluice.Pod) string {
	first := set.Number(0, "spec", "ordinals", "start")
	if ordinal(p) < first+set.Number(0, "spec", "updateStrategy", "rollingUpdate", "partition") {
		return set.Text("status", "currentRevision")
	}
	return set.Text("status", "updateRevision")
}

// evict evicts the pod. inTime is false if it was not gone at the deadline.
func evict(ctx context.Context, w ready.Waiter, p sluice.Pod) (inTime bool, err error) {
	bounded, cancel := w.Bounded(ctx)
	defer cancel()
	err = w.Account.Evict(bounded, p.Namespace, p.Name)
	return err == nil || !ready.IsTimeout(context.Cause(bounded)), err
}
