package rollout

import (
	"context"
	"fmt"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
	"github.com/sluice-cd/sluice/internal/step/delivery"
	"github.com/sluice-cd/sluice/internal/step/object"
	"github.com/sluice-cd/sluice/internal/step/ready"
	"github.com/sluice-cd/sluice/internal/step/sibling"
)

// A comparison finds out what apply would do to each object.
type comparison struct {
	*apply
	objects []sluice.Object
	image   image
	changes []sluice.Change
	notes   []string

	was     map[sluice.Ref]sluice.Object
	outcome map[sluice.Ref]sluice.Outcome
}

func (c *comparison) run(ctx context.Context) error {
	c.image.At = c.deps.Now()
	c.was, c.outcome = map[sluice.Ref]sluice.Object{}, map[sluice.Ref]sluice.Outcome{}
	for _, o := range c.objects {
		if err := c.compare(ctx, o); err != nil {
			return err
		}
	}
	if err := c.findShared(); err != nil {
		return err
	}
	c.findDeferred()
	c.image.First = c.isFirst()
	for _, o := range c.objects {
		if c.outcome[o.Ref()] == sluice.Unchanged || c.isDeferred(o.Ref()) {
			continue
		}
		if err := c.image.add(o.Ref(), c.was[o.Ref()], c.deps.Sealer); err != nil {
			return err
		}
	}
	return c.describe(ctx)
}

// isFirst tells a first deployment to the target: what runs in it is all new.
func (c *comparison) isFirst() bool {
	workloads := object.OfKind(c.objects, podWorkloads...)
	return len(workloads) > 0 && !slices.ContainsFunc(workloads, func(o sluice.Object) bool { return c.was[o.Ref()] != nil })
}

// findShared is an error where a Service sends traffic to other pods than those of a Deployment that gets a canary: to choose
// between that one's versions the Service is narrowed to its pods alone.
func (c *comparison) findShared() error {
	if c.account.Weighs(c.sc.Target.Traffic) {
		return nil
	}
	for _, d := range pick(c.objects, c.image.Canaries) {
		for _, s := range object.OfKind(c.objects, "Service") {
			for _, other := range object.OfKind(c.objects, podWorkloads...) {
				if other.Ref() != d.Ref() && sendsTo(s, d) && sendsTo(s, other) {
					return sluice.Errorf(sluice.Unsupported, "%s sends traffic to %s too, which would get none while %s has a canary", s.Ref(), other.Ref(), d.Ref()).
						WithHint("let the Service select a label that only one of them has, or roll out straight to 100 %%")
				}
			}
		}
	}
	return nil
}

func (c *comparison) compare(ctx context.Context, o sluice.Object) error {
	ref := o.Ref()
	was, err := object.Get(ctx, c.account, ref)
	if err != nil {
		return err
	}
	will, outcome, err := c.preview(ctx, o, was)
	switch {
	case was == nil && isMissing(err) && c.bringsWhatIsMissing(o):
		will, outcome = o, sluice.Created
	case was != nil && ref.Kind == "Job" && isImmutable(err):
		will, outcome = o, sluice.Configured
		c.notes = append(c.notes, ref.String()+" is run again: its old run is deleted first")
	case err != nil:
		return object.WithOp("apply", ref, err)
	}
	c.was[ref], c.outcome[ref] = was, outcome
	if outcome != sluice.Unchanged {
		c.changes = append(c.changes, sluice.Change{Object: ref.String(), Outcome: outcome, Diff: manifest.Diff(was, will)})
	}
	if was == nil || !c.spec.Canary || ref.Kind != "Deployment" && !isOrdered(was) {
		return nil
	}
	same, err := sameTemplate(was, will)
	if err != nil || same {
		return err
	}
	why, err := c.straight(ctx, was, will)
	if err != nil {
		return err
	}
	if why != "" {
		c.notes = append(c.notes, ref.String()+" "+why+", so it goes straight to 100 %")
		return nil
	}
	if ref.Kind == "Deployment" {
		c.image.Canaries = append(c.image.Canaries, ref)
		return nil
	}
	c.image.Ordered = append(c.image.Ordered, ref)
	return nil
}

// straight says why a workload that exists and changes its pods gets no canary, and is not held back, "" where it is.
func (c *comparison) straight(ctx context.Context, was, will sluice.Object) (string, error) {
	recreates := func(o sluice.Object) bool { return o.Text("spec", "strategy", "type") == "Recreate" }
	switch {
	case was.Text("kind") != "Deployment":
		broken, err := c.isBroken(ctx, was)
		if err != nil || !broken {
			return "", err
		}
		return "has pods that do not get ready by themselves", nil
	case recreates(was) || recreates(will):
		return "wants its old pods gone before new ones come (strategy Recreate)", nil
	case was.Number(0, "status", "readyReplicas") == 0:
		return "has no ready pod", nil
	case manifest.Status(was).Phase == manifest.Failed:
		return "was changed before, and that change has got stuck", nil
	}
	return "", nil
}

// isBroken reports whether the set's pods cannot get ready by themselves, which shows at a ready.Glance.
func (c *comparison) isBroken(ctx context.Context, set sluice.Object) (broken bool, err error) {
	if ready.Is(set) {
		return false, nil
	}
	w := ready.Waiter{Account: c.account, Deadline: c.deps.Now().Add(ready.Glance), Now: c.deps.Now, Report: func(sluice.Progress) {}}
	err = w.Watch(ctx, set.Ref(), func(o sluice.Object) (bool, string, error) {
		phase := manifest.Status(o).Phase
		broken = phase == manifest.Failed
		return broken || phase == manifest.Ready, "", nil
	})
	if ready.IsTimeout(err) {
		return false, nil
	}
	return broken, object.WithOp("look at the pods of", set.Ref(), err)
}

// preview finds out what applying the object would do. The delivery that a Deployment's pods belong to is left out: it
// changes with their version, and never by itself.
func (c *comparison) preview(ctx context.Context, o, was sluice.Object) (sluice.Object, sluice.Outcome, error) {
	if o.Text("kind") != "Deployment" || was == nil {
		return c.account.Apply(ctx, o, true)
	}
	same := o.Clone()
	delivery.Stamp(same, delivery.StampedWith(was))
	will, outcome, err := c.account.Apply(ctx, same, true)
	if err != nil || outcome == sluice.Unchanged {
		return will, outcome, err
	}
	kept, err := sameTemplate(was, will)
	if kept {
		c.image.Kept = append(c.image.Kept, o.Ref())
	}
	return will, outcome, err
}

// bringsWhatIsMissing reports whether the objects bring the namespace or the definition that o needs.
func (c *comparison) bringsWhatIsMissing(o sluice.Object) bool {
	return slices.ContainsFunc(c.objects, func(other sluice.Object) bool {
		switch other.Text("kind") {
		case "Namespace":
			return other.Text("metadata", "name") == o.Text("metadata", "namespace")
		case "CustomResourceDefinition":
			return other.Text("spec", "names", "kind") == o.Text("kind")
		}
		return false
	})
}

// isMissing tells an error over a namespace or a kind that is not there.
func isMissing(err error) bool {
	c := sluice.ErrorCode(err)
	return c == sluice.NotFound || c == sluice.Unsupported
}

func isImmutable(err error) bool {
	switch sluice.ErrorCode(err) {
	case sluice.Invalid, sluice.Conflict, sluice.Unsupported:
		return true
	}
	return false
}

func sameTemplate(a, b sluice.Object) (bool, error) {
	was, err := digest(a.Field("spec", "template"))
	if err != nil {
		return false, err
	}
	is, err := digest(b.Field("spec", "template"))
	return was == is, err
}

// findDeferred finds the configuration that exists, changes, and is used by nothing but canaries.
func (c *comparison) findDeferred() {
	for _, o := range deferred(c.objects, pick(c.objects, c.image.Canaries)) {
		if c.outcome[o.Ref()] == sluice.Configured {
			c.image.Deferred = append(c.image.Deferred, o.Ref())
		}
	}
}

func (c *comparison) isDeferred(ref sluice.Ref) bool {
	return slices.Contains(c.image.Canaries, ref) || slices.Contains(c.image.Deferred, ref)
}

// describe says what kind of rollout it will be.
func (c *comparison) describe(ctx context.Context) error {
	for _, ref := range c.image.Canaries {
		standing, err := object.Get(ctx, c.account, delivery.CanaryOf(ref))
		if err != nil {
			return err
		}
		if standing != nil && standing.Text("metadata", "annotations", delivery.MadeBy) == "" {
			return sluice.Errorf(sluice.Conflict, "%s exists, and its name is needed for the canary of %s", delivery.CanaryOf(ref), ref).
				WithHint("give that Deployment another name")
		}
		c.notes = append(c.notes, fmt.Sprintf("%s keeps running; the new version comes as %s and gets no traffic yet", ref, delivery.CanaryOf(ref)))
	}
	if err := c.describeUnrouted(ctx); err != nil {
		return err
	}
	for _, ref := range c.image.Ordered {
		c.notes = append(c.notes, ref.String()+" keeps its pods; the weights and promotion replace them one by one")
	}
	for _, ref := range c.image.Deferred {
		c.notes = append(c.notes, ref.String()+" stays as it is for the old version until promotion")
	}
	for _, d := range object.OfKind(c.objects, "Deployment") {
		if c.was[d.Ref()] == nil {
			c.notes = append(c.notes, d.Ref().String()+" is new: it goes straight to 100 %")
		}
	}
	if c.image.First && sibling.LeavesOut(c.sc) {
		c.notes = append(c.notes, "nothing of the target runs yet: pauses, analyses and webhooks of its strategy are left out")
	}
	return nil
}

func (c *comparison) describeUnrouted(ctx context.Context) error {
	if len(c.sc.Target.Traffic) == 0 {
		return nil
	}
	list, err := divisions(ctx, c.account, c.sc, c.objects, pick(c.objects, c.image.Canaries))
	for _, name := range unrouted(list, c.sc) {
		c.notes = append(c.notes, "Service/"+name+" is named by no route of trafficManagement: its traffic changes at 100 % alone")
	}
	return err
}

// pick returns the objects that refs name.
func pick(objects []sluice.Object, refs []sluice.Ref) []sluice.Object {
	return slices.DeleteFunc(slices.Clone(objects), func(o sluice.Object) bool { return !slices.Contains(refs, o.Ref()) })
}
