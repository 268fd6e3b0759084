package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/delivery"
	"github.com/sluice-cd/sluice/internal/step/object"
)

// A StatefulSet or DaemonSet, a set for short, has no second copy. Its pods change one by one, as many as the weight
// says, and promotion changes the rest. A partition holds the new version back if the controller's own order will do.
// Otherwise the strategy OnDelete does, and Sluice evicts the pods one at a time in its own order.

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
		o.Text("metadata", "annotations", sluice.PrimaryLabels) == "" &&
		o.Text("metadata", "annotations", sluice.PrimaryProbe) == ""
}

// noNode says that no node runs the DaemonSet, "" if one does. It is ready all the same, since there is no pod to wait
// for.
func noNode(o sluice.Object) string {
	if o.Text("kind") != "DaemonSet" || o.Number(0, "status", "desiredNumberScheduled") > 0 {
		return ""
	}
	return "no node runs " + o.Ref().String() + ", so nobody has tried its pods"
}

// idle names the DaemonSets among the objects that no node runs.
func (t target) idle(ctx context.Context, objects []sluice.Object) (string, error) {
	var words []string
	for _, o := range object.OfKind(objects, "DaemonSet") {
		now, err := object.Get(ctx, t.account, o.Ref())
		if err != nil {
			return "", err
		}
		words = append(words, noNode(now))
	}
	return joined(words, "; "), nil
}

// podsAt returns how many of n pods have the new version at the percentage: rounded up, so that any weight above
// 0 changes a pod.
func podsAt(n, percent int) int { return min(n, (n*max(percent, 0)+99)/100) }

// heldAt returns the set with the new template, which the pods from the partition's ordinal on get.
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

// heldAsNow returns the set held back as far as it is now.
func heldAsNow(o, now sluice.Object, id sluice.DeploymentID) sluice.Object {
	return heldAt(o, now.Number(0, "spec", "updateStrategy", "rollingUpdate", "partition"), id)
}

// isHeld reports whether the deployment holds the set back.
func isHeld(o sluice.Object, id sluice.DeploymentID) bool {
	return o != nil && o.Text("metadata", "annotations", delivery.MadeBy) == string(id)
}

// held returns the declared sets that the deployment holds back.
func (t target) held(ctx context.Context, objects []sluice.Object) ([]sluice.Object, error) {
	var list []sluice.Object
	for _, o := range object.OfKind(objects, "StatefulSet", "DaemonSet") {
		now, err := object.Get(ctx, t.account, o.Ref())
		if err != nil {
			return nil, err
		}
		if isHeld(now, t.sc.Deployment) {
			list = append(list, o)
		}
	}
	return list, nil
}

// useHeld replaces, among the declared objects, the sets that refs name by what the weights made of them. So an undo
// sees that they are as the deployment wrote them.
func (t target) useHeld(ctx context.Context, objects []sluice.Object, refs []sluice.Ref) error {
	for i, o := range objects {
		if !slices.Contains(refs, o.Ref()) {
			continue
		}
		now, err := object.Get(ctx, t.account, o.Ref())
		if err != nil {
			return err
		}
		if isHeld(now, t.sc.Deployment) {
			objects[i] = heldAsNow(o, now, t.sc.Deployment)
		}
	}
	return nil
}

// holdAt puts the partitions back to where the percentage has them. Pods that are new already stay so.
func (t tracks) holdAt(ctx context.Context, percent int) error {
	list, err := t.held(ctx, t.objects)
	if err != nil {
		return err
	}
	for _, o := range list {
		if !byPartition(o) {
			continue
		}
		if _, _, err := t.part(ctx, o, percent); err != nil {
			return err
		}
	}
	return nil
}

// rollTo brings the new version to as many pods of the held sets as the percentage says, and returns what it did in
// words.
func (t tracks) rollTo(ctx context.Context, percent int) (string, error) {
	list, err := t.held(ctx, t.objects)
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
		return t.replacePods(ctx, o, percent)
	}
	pods, n, err := t.part(ctx, o, percent)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d of %d pods of %s are new", pods, n, o.Ref()), t.waiter.Ready(ctx, []sluice.Ref{o.Ref()})
}

// part sets the partition for the percentage and returns how many of the set's n pods are then new.
func (t tracks) part(ctx context.Context, o sluice.Object, percent int) (pods, n int, err error) {
	now, err := object.Get(ctx, t.account, o.Ref())
	if err != nil {
		return 0, 0, err
	}
	n = now.Number(1, "spec", "replicas")
	pods = podsAt(n, percent)
	_, _, err = object.Apply(ctx, t.account, heldAt(o, n-pods, t.sc.Deployment))
	return pods, n, err
}
