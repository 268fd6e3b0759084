package rollout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
	"github.com/sluice-cd/sluice/internal/step/delivery"
	"github.com/sluice-cd/sluice/internal/step/object"
	"github.com/sluice-cd/sluice/internal/step/ready"
	"github.com/sluice-cd/sluice/internal/step/record"
	"github.com/sluice-cd/sluice/internal/step/refusal"
	"github.com/sluice-cd/sluice/internal/step/sibling"
)

// A finding is one declared object, the object that exists, and what applying would do.
type finding struct {
	declared  sluice.Object
	was, will sluice.Object // was is nil if the object is absent
	outcome   sluice.Outcome
	keepsPods bool   // a Deployment that changes, but not in its pods
	gradual   bool   // its pods change under the strategy: beside the old ones, or one by one
	note      string // for people
}

// Check compares every object with the account. The snapshot keeps those that will be written as they are, and how
// each object is brought.
func (s *apply) Check(ctx context.Context) (sluice.Preview, error) {
	objects, err := s.declared()
	if err != nil {
		return sluice.Preview{}, err
	}
	findings, err := s.lookAtAll(ctx, objects)
	if err != nil {
		return sluice.Preview{}, err
	}
	var changes []sluice.Change
	for _, f := range findings {
		if f.outcome != sluice.Unchanged {
			diff := manifest.Diff(f.was, f.will)
			changes = append(changes, sluice.Change{Object: f.declared.Ref().String(), Outcome: f.outcome, Diff: diff})
		}
	}
	snap, err := s.decide(objects, findings)
	if err != nil {
		return sluice.Preview{}, err
	}
	if err := s.checkMoves(findings, snap.Canaries); err != nil {
		return sluice.Preview{}, err
	}
	if err := s.checkCanaries(ctx, objects, snap.Canaries); err != nil {
		return sluice.Preview{}, err
	}
	notes, err := s.notes(ctx, objects, findings, snap)
	if err != nil {
		return sluice.Preview{}, err
	}
	warnings, err := s.overQuota(ctx, findings)
	if err != nil {
		return sluice.Preview{}, err
	}
	notes = append(notes, warnings...)
	raw, err := record.Write(snap)
	return sluice.Preview{Changes: changes, Notes: notes, Snapshot: raw, First: snap.First}, err
}

// Vet finds what the account refuses now and will still refuse at the step's turn.
func (s *apply) Vet(ctx context.Context) (sluice.Preview, error) { return s.Check(ctx) }

// lookAtAll looks at every object. If the account refuses some of them, the error names all of these.
func (s *apply) lookAtAll(ctx context.Context, objects []sluice.Object) (findings []finding, err error) {
	var refused []error
	for _, o := range objects {
		f, err := s.look(ctx, objects, o)
		if err != nil && !refusal.Is(err) {
			return nil, errors.Join(append(refused, err)...)
		}
		findings, refused = append(findings, f), append(refused, err)
	}
	return findings, errors.Join(refused...)
}

// look finds out what applying the object would do.
func (s *apply) look(ctx context.Context, objects []sluice.Object, o sluice.Object) (finding, error) {
	f, ref := finding{declared: o}, o.Ref()
	var err error
	if f.was, err = object.Get(ctx, s.account, ref); err != nil {
		return f, err
	}
	refused := refusal.Object{Ref: ref, Place: s.spec.Places[ref], Exists: f.was != nil}
	if err := s.checkOwners(ctx, f.was); err != nil {
		return f, refused.At(err)
	}
	if err := s.try(ctx, objects, &f); err != nil {
		if !s.isExpected(&f, objects, err) {
			return f, refused.At(object.WithOp("apply", ref, err))
		}
		return f, nil
	}
	if err := s.checkUses(ctx, objects, f); err != nil {
		return f, err
	}
	if f.was != nil {
		f.note = noNode(f.was)
	}
	if err := s.lookAtPods(ctx, &f); err != nil {
		return f, err
	}
	return f, refused.At(object.WithOp("apply", ref, checkPaused(f)))
}

// isExpected reports whether the refusal of a dry run does not stand at the object's turn, and completes the finding.
func (s *apply) isExpected(f *finding, objects []sluice.Object, err error) bool {
	ref := f.declared.Ref()
	f.will, f.outcome = f.declared, sluice.Configured
	if f.was == nil {
		f.outcome = sluice.Created
	}
	switch {
	case f.was == nil && refusal.IsMissing(err) && refusal.Brings(objects, ref):
		return true
	case f.was != nil && ref.Kind == "Job" && isImmutable(err):
		f.note = ref.String() + " runs again: its old run is deleted first"
		return true
	}
	why := refusal.Unknown(s.sc, ref, err)
	f.note = "not known yet: " + why
	return why != ""
}

// lookAtPods finds out whether the pods of a workload that exists change, and how.
func (s *apply) lookAtPods(ctx context.Context, f *finding) error {
	ref := f.declared.Ref()
	if f.was == nil || !s.spec.Canary || ref.Kind != "Deployment" && !isOrdered(f.was) {
		return nil
	}
	same, err := sameTemplate(f.was, f.will)
	if err != nil || same {
		return err
	}
	why, err := s.straight(ctx, *f)
	if why != "" {
		f.note = ref.String() + " " + why + ", so it goes straight to 100 %"
	}
	f.gradual = why == ""
	return err
}

// checkPaused returns an error if the pods of a Deployment would change at once, but somebody paused it: then they
// never do. Beside a canary it may be paused.
func checkPaused(f finding) error {
	ref := f.declared.Ref()
	if ref.Kind != "Deployment" || f.was == nil || f.gradual || f.keepsPods || f.outcome == sluice.Unchanged ||
		f.will.Field("spec", "paused") != true {
		return nil
	}
	if f.declared.Field("spec", "paused") == true {
		return sluice.Errorf(sluice.Conflict, "spec.paused keeps its pods from ever changing").
			WithHint("remove paused from the manifest")
	}
	return sluice.Errorf(sluice.Conflict, "somebody paused it, so its pods would never change").
		WithHint("let its pods change: kubectl rollout resume deployment %s --namespace %s", ref.Name, ref.Namespace)
}

// checkOwners returns a Conflict if the workload belongs to a deployment of another state directory. Of a Deployment,
// its canary would. Its own annotations may be those of an earlier canary: kubectl rollout undo copies them to it.
func (s *apply) checkOwners(ctx context.Context, workload sluice.Object) error {
	if workload.Text("kind") != "Deployment" {
		return delivery.CheckOwner(ctx, s.deps, s.sc, workload)
	}
	canary, err := object.Get(ctx, s.account, delivery.CanaryOf(workload.Ref()))
	if err != nil {
		return err
	}
	return delivery.CheckOwner(ctx, s.deps, s.sc, canary)
}

// try applies the object in a dry run. The stamps of a Deployment's pods, and the versions of the configuration that
// they use, are left as they are: they change only with the version of the pods.
func (s *apply) try(ctx context.Context, objects []sluice.Object, f *finding) (err error) {
	o := f.declared
	if o.Text("kind") != "Deployment" || f.was == nil {
		f.will, f.outcome, err = s.account.Apply(ctx, o, true)
		return err
	}
	o = o.Clone()
	useVersions(o, f.was, objects)
	if changes, err := s.tryVersion(ctx, o, f); err != nil || changes {
		return err
	}
	delivery.Stamp(o, delivery.StampedWith(f.was))
	f.will, f.outcome, err = s.account.Apply(ctx, o, true)
	if err == nil && f.outcome != sluice.Unchanged {
		f.keepsPods, err = sameTemplate(f.was, f.will)
	}
	return err
}

// tryVersion applies a Deployment that may get a canary as promote will, and completes the finding if its pods change
// by more than their stamps. So the account has answered already when the canary needs what others have set. A refusal
// says nothing yet: others may own stamps that stay as they are.
func (s *apply) tryVersion(ctx context.Context, o sluice.Object, f *finding) (changes bool, err error) {
	if !s.spec.Canary {
		return false, nil
	}
	stamped := o.Clone()
	delivery.Stamp(stamped, delivery.VersionOf(s.sc, o.Text("metadata", "name")))
	will, outcome, err := s.account.Apply(ctx, stamped, true)
	if refusal.Is(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	will = will.Clone()
	delivery.Restamp(will, o, delivery.StampedWith(f.was))
	same, err := sameTemplate(f.was, will)
	if err != nil || same {
		return false, err
	}
	f.will, f.outcome = will, outcome
	return true, nil
}

// straight says why a workload that changes its pods gets no canary and is not held back, "" if it does.
func (s *apply) straight(ctx context.Context, f finding) (string, error) {
	paused := func(o sluice.Object) bool { return o.Field("spec", "paused") == true }
	recreates := func(o sluice.Object) bool { return o.Text("spec", "strategy", "type") == "Recreate" }
	switch {
	case f.was.Text("kind") != "Deployment":
		broken, err := s.isBroken(ctx, f.was)
		if err != nil || !broken {
			return "", err
		}
		return "has pods that cannot become ready", nil
	case recreates(f.was) || recreates(f.will):
		return "stops its old pods before it starts new ones (strategy Recreate)", nil
	case f.was.Number(0, "status", "readyReplicas") == 0:
		return "has no ready pod", nil
	case f.will.Number(1, "spec", "replicas") == 0:
		return "is to have no pods", nil
	case paused(f.was) && !paused(f.will) && !ready.Is(f.was): // by Sluice, so nobody resumes it
		return "was left in the middle of a promotion", nil
	case manifest.StatusWithin(f.was, s.sc.Target.MaxUnready).Phase == manifest.Failed:
		return "has an earlier change that is stuck", nil
	}
	return "", nil
}

// isBroken reports whether the set's pods cannot become ready. It looks once, for a short time.
func (s *apply) isBroken(ctx context.Context, set sluice.Object) (broken bool, err error) {
	if ready.Is(set) {
		return false, nil
	}
	w := s.newWaiter(s.deps.Now(), ready.Glance)
	w.Report = func(sluice.Progress) {}
	err = w.Watch(ctx, set.Ref(), func(o sluice.Object) (bool, string, error) {
		phase := manifest.StatusWithin(o, s.sc.Target.MaxUnready).Phase
		broken = phase == manifest.Failed
		return broken || phase == manifest.Ready, "", nil
	})
	if ready.IsTimeout(err) {
		return false, nil
	}
	return broken, object.WithOp("look at the pods of", set.Ref(), err)
}

// isImmutable reports whether the object cannot be changed into what is declared.
func isImmutable(err error) bool {
	c := sluice.ErrorCode(err)
	return c == sluice.Invalid || c == sluice.Conflict || c == sluice.Unsupported
}

func sameTemplate(a, b sluice.Object) (bool, error) {
	was, err1 := digest(a.Field("spec", "template"))
	is, err2 := digest(b.Field("spec", "template"))
	return was == is, cmp.Or(err1, err2)
}

// decide says how each object is brought, and records the objects that Start writes as they are. Canaries and the
// configuration that changes with them are written by promote.
func (s *apply) decide(objects []sluice.Object, findings []finding) (snapshot, error) {
	snap := snapshot{At: s.deps.Now()}
	workloads, existing := 0, 0
	changed := map[sluice.Ref]sluice.Outcome{}
	for _, f := range findings {
		ref := f.declared.Ref()
		changed[ref] = f.outcome
		if f.keepsPods {
			snap.Kept = append(snap.Kept, ref)
		}
		switch {
		case f.gradual && ref.Kind == "Deployment":
			if err := snap.addCanary(f, s.deps.Sealer); err != nil {
				return snap, err
			}
		case f.gradual:
			snap.Ordered = append(snap.Ordered, ref)
		}
		if slices.Contains(podWorkloads, ref.Kind) {
			workloads++
			if f.was != nil {
				existing++
			}
		}
	}
	snap.First = workloads > 0 && existing == 0
	for _, o := range usedOnlyBy(pick(objects, snap.Canaries), objects) {
		if changed[o.Ref()] == sluice.Configured {
			snap.Deferred = append(snap.Deferred, o.Ref())
		}
	}
	for _, f := range findings {
		ref := f.declared.Ref()
		if f.outcome == sluice.Unchanged || slices.Contains(snap.Canaries, ref) || slices.Contains(snap.Deferred, ref) {
			continue
		}
		if err := snap.add(ref, f.was, s.deps.Sealer); err != nil {
			return snap, err
		}
	}
	return snap, nil
}

// checkCanaries finds what stands in the way of a canary: another Deployment of its name, or a Service that sends
// traffic to other pods too, if Services have to be narrowed to the pods of one version.
func (s *apply) checkCanaries(ctx context.Context, objects []sluice.Object, canaries []sluice.Ref) error {
	for _, d := range pick(objects, canaries) {
		service, other := sharedService(objects, d)
		if service != nil && !s.weighs() {
			return sluice.Errorf(sluice.Unsupported, "%s sends traffic to %s too, which would get none while %s has a canary",
				service.Ref(), other.Ref(), d.Ref()).
				WithHint("let the Service select a label that only one of them has, or roll out straight to 100 %%")
		}
	}
	for _, ref := range canaries {
		standing, err := object.Get(ctx, s.account, delivery.CanaryOf(ref))
		if err != nil {
			return err
		}
		if standing != nil && standing.Text("metadata", "annotations", delivery.MadeBy) == "" {
			return sluice.Errorf(sluice.Conflict, "%s exists, and its name is needed for the canary of %s",
				delivery.CanaryOf(ref), ref).
				WithHint("give that Deployment another name")
		}
	}
	return nil
}

// sharedService returns a Service that sends traffic to the Deployment and to another workload; nil if there is none.
func sharedService(objects []sluice.Object, d sluice.Object) (service, other sluice.Object) {
	for _, service := range object.OfKind(objects, "Service") {
		for _, other := range object.OfKind(objects, podWorkloads...) {
			if other.Ref() != d.Ref() && sendsTo(service, d) && sendsTo(service, other) {
				return service, other
			}
		}
	}
	return nil, nil
}

// canaryNotes says that a canary comes, and which share it gets at each weight if that follows from numbers of pods.
func (s *apply) canaryNotes(
	ctx context.Context, snap snapshot, objects []sluice.Object, o sluice.Object,
) ([]string, error) {
	ref := o.Ref()
	comes := ref.String() + " keeps running; the new version comes as " + delivery.CanaryOf(ref).String()
	stable, err := object.Get(ctx, s.account, ref)
	if err != nil || stable == nil {
		return nil, err
	}
	will := canaryOf(o, stable, s.sc.Deployment)
	will.Set(strconv.Itoa(snap.promoted(ref, stable)), "metadata", "annotations", sizedTo)
	p, err := tracks{target: s.target, objects: objects}.divided(ctx, pair{stable: stable, canary: will}, o)
	if err != nil {
		return nil, err
	}
	notes := []string{comes + " and gets no traffic yet"}
	if !p.served {
		notes = []string{comes, "no Service selects the pods of " + ref.String() + ", so their numbers divide its work"}
	}
	for _, weight := range sibling.Weights(s.sc) {
		if share := p.share(weight); share != "" {
			notes = append(notes, fmt.Sprintf("at weight %d, %s", weight, share))
		}
	}
	return notes, nil
}

// notes describes the rollout.
func (s *apply) notes(
	ctx context.Context, objects []sluice.Object, findings []finding, snap snapshot,
) (notes []string, err error) {
	for _, f := range findings {
		if f.note != "" {
			notes = append(notes, f.note)
		}
		notes = append(notes, s.ownerNotes(f)...)
	}
	for _, o := range pick(objects, snap.Canaries) {
		list, err := s.canaryNotes(ctx, snap, objects, o)
		if err != nil {
			return nil, err
		}
		notes = append(notes, list...)
	}
	if len(s.sc.Target.Traffic) > 0 {
		list, err := s.divisions(ctx, objects, pick(objects, snap.Canaries))
		if err != nil {
			return nil, err
		}
		for _, name := range unrouted(list, s.sc) {
			notes = append(notes, "no route of trafficManagement names Service/"+name+
				": its traffic changes only at 100 %")
		}
	}
	for _, ref := range snap.Ordered {
		notes = append(notes, ref.String()+" keeps its pods; the weights and promotion replace them one by one")
	}
	for _, ref := range snap.Deferred {
		notes = append(notes, ref.String()+" stays as it is for the old version until promotion")
	}
	for _, f := range findings {
		if f.was == nil && f.declared.Text("kind") == "Deployment" {
			notes = append(notes, f.declared.Ref().String()+" is new: it goes straight to 100 %")
		}
	}
	if snap.First && sibling.LeavesOut(s.sc) {
		notes = append(notes, "nothing of the target runs yet: pauses, analyses and webhooks of its strategy are left out")
	}
	return notes, nil
}
