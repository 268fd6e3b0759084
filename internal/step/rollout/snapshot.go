package rollout

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
	"github.com/sluice-cd/sluice/internal/step/object"
	"github.com/sluice-cd/sluice/internal/step/ready"
	"github.com/sluice-cd/sluice/internal/step/record"
)

// A snapshot is what Check saw: what Undo needs to put objects back, and how Start brings each object. Secrets in it
// are sealed. It is in the log, so later versions must be able to read it.
type snapshot struct {
	At       time.Time    `json:"at"`                 // when it was taken; the step's deadline counts from here
	Before   []before     `json:"before"`             // the objects that the step writes, in its order
	Canaries []sluice.Ref `json:"canaries,omitempty"` // the Deployments that change version through a canary
	Deferred []sluice.Ref `json:"deferred,omitempty"` // the ConfigMaps and Secrets that change with them
	Kept     []sluice.Ref `json:"kept,omitempty"`     // the Deployments that change, but not in their pods
	Ordered  []sluice.Ref `json:"ordered,omitempty"`  // the StatefulSets and DaemonSets that change pod by pod
	First    bool         `json:"first,omitempty"`    // there are workloads, and none of them was there before
	// Stable are the Deployments of the canaries, which promote changes. Apply needs them if somebody deletes them.
	Stable []before `json:"stable,omitempty"`
	// Sizes is how many pods those of them will want after promotion that want another number now, by Kind/name.
	Sizes map[string]int `json:"sizes,omitempty"`
}

// promoted returns how many pods the Deployment will want after promotion.
func (s snapshot) promoted(ref sluice.Ref, now sluice.Object) int {
	if n, ok := s.Sizes[ref.String()]; ok {
		return n
	}
	return now.Number(1, "spec", "replicas")
}

// before is one object as it was; a nil Object was absent.
type before struct {
	Ref    sluice.Ref    `json:"ref"`
	Object sluice.Object `json:"object"`
	Ready  bool          `json:"ready,omitempty"`
}

// readSnapshot returns what Check recorded. taken is false if there is none: the step never started.
func readSnapshot(p sluice.Progress) (snap snapshot, taken bool, err error) {
	err = record.Read(p.Snapshot, &snap)
	return snap, len(p.Snapshot) > 0, err
}

// startedWith is readSnapshot for Start, which is never called without one.
func (t target) startedWith(p sluice.Progress) (snapshot, error) {
	snap, taken, err := readSnapshot(p)
	if err == nil && !taken {
		return snap, sluice.Errorf(sluice.Internal, "%s was started without its snapshot", t.sc.Step.Kind)
	}
	return snap, err
}

// addCanary takes a Deployment into the snapshot that gets a canary.
func (s *snapshot) addCanary(f finding, sealer sluice.Sealer) error {
	ref := f.declared.Ref()
	b, err := beforeOf(ref, f.was, sealer)
	s.Canaries, s.Stable = append(s.Canaries, ref), append(s.Stable, b)
	if n := f.will.Number(1, "spec", "replicas"); n != f.was.Number(1, "spec", "replicas") {
		if s.Sizes == nil {
			s.Sizes = map[string]int{}
		}
		s.Sizes[ref.String()] = n
	}
	return err
}

// add takes one object into the snapshot.
func (s *snapshot) add(ref sluice.Ref, was sluice.Object, sealer sluice.Sealer) error {
	b, err := beforeOf(ref, was, sealer)
	s.Before = append(s.Before, b)
	return err
}

// beforeOf returns the object as it was, with its secrets sealed.
func beforeOf(ref sluice.Ref, was sluice.Object, sealer sluice.Sealer) (before, error) {
	b := before{Ref: ref}
	if was != nil {
		b.Ready, b.Object = ready.Is(was), object.Wanted(was)
		if fields := was.Field("metadata", "managedFields"); fields != nil { // who set which field
			b.Object.Set(sluice.Object{"fields": fields}.Clone()["fields"], "metadata", "managedFields")
		}
		if err := manifest.SealSecrets([]sluice.Object{b.Object}, sealer); err != nil {
			return b, err
		}
	}
	return b, nil
}

// find returns the object as it was; false if it is not in the snapshot.
func (s snapshot) find(ref sluice.Ref) (before, bool) {
	for _, b := range s.Before {
		if b.Ref == ref {
			return b, true
		}
	}
	return before{}, false
}

// unready returns the objects that were there and not ready, without those that change pod by pod.
func (s snapshot) unready(objects []sluice.Object) []sluice.Ref {
	var refs []sluice.Ref
	for _, b := range s.Before {
		ours := slices.ContainsFunc(objects, func(o sluice.Object) bool { return o.Ref() == b.Ref })
		if ours && b.Object != nil && !b.Ready && !slices.Contains(s.Ordered, b.Ref) {
			refs = append(refs, b.Ref)
		}
	}
	return refs
}

// A restorer puts objects back as a snapshot has them. It does not touch what somebody else has changed meanwhile, and
// names it at the end: fields if the account records who set them, otherwise whole objects.
type restorer struct {
	target
	ours    map[sluice.Ref]sluice.Object // what the step wrote
	foreign []string                     // objects
	taken   []string                     // fields, in words
	shared  []string                     // objects that another application applied too, in words
	refused error                        // what could not be put back
}

func (t target) newRestorer(objects []sluice.Object) *restorer {
	r := &restorer{target: t, ours: map[sluice.Ref]sluice.Object{}}
	for _, o := range objects {
		r.ours[o.Ref()] = o
	}
	return r
}

// restoreAll puts the objects back one by one with restore, and returns those that have to get ready again. If an
// object cannot be put back, it records that and continues with the others, unless nothing answers. If trying again may
// help, that is the error.
func (r *restorer) restoreAll(
	ctx context.Context, objects iter.Seq2[int, before], restore func(before) (back bool, err error),
) (again []sluice.Ref, err error) {
	for _, b := range objects {
		back, err := restore(b)
		if sluice.ErrorCode(err).IsOutage() || err != nil && ctx.Err() != nil {
			return nil, err
		}
		r.refused = errors.Join(r.refused, err)
		if back && err == nil && b.Ready && b.Ref.Kind != "Job" {
			again = append(again, b.Ref)
		}
	}
	if sluice.MayPass(r.refused) {
		return nil, r.refused
	}
	return again, nil
}

// restore puts one object back. It reports whether the object is back, which it may have been before.
func (r *restorer) restore(ctx context.Context, b before) (back bool, err error) {
	now, err := object.Get(ctx, r.account, b.Ref)
	if err != nil || now == nil && (b.Object == nil || b.Ref.Kind == "Job") { // an old Job would run again
		return false, err
	}
	if b.Object == nil {
		return r.removeCreated(ctx, b.Ref)
	}
	was := b.Object.Clone()
	if err := manifest.OpenSecrets([]sluice.Object{was}, r.deps.Sealer); err != nil {
		return false, err
	}
	takenOver := false // fields of it, by somebody else
	if now != nil {
		if back, err := r.isBack(ctx, was); err != nil || back {
			return back, err
		}
		mine, err := r.isOurs(ctx, b.Ref)
		takenOver = sluice.ErrorCode(err) == sluice.Conflict
		if err != nil && !takenOver {
			return false, err
		}
		if !mine && !takenOver {
			r.foreign = append(r.foreign, b.Ref.String())
			return false, nil
		}
	}
	if b.Ref.Kind == "Job" && !takenOver {
		return r.removeCreated(ctx, b.Ref) // applying the old one would run it again
	}
	if err := ctx.Err(); err != nil {
		return false, err
	}
	_, _, err = r.account.Restore(ctx, was, false)
	if takenOver && sluice.ErrorCode(err) == sluice.Conflict { // the rest of it is back
		r.taken = append(r.taken, b.Ref.String()+": "+err.Error())
		return true, nil
	}
	return err == nil, object.WithOp("restore", b.Ref, err)
}

// isBack reports whether restoring the object would change nothing.
func (r *restorer) isBack(ctx context.Context, was sluice.Object) (bool, error) {
	return changesNothing(r.account.Restore(ctx, was, true))
}

// changesNothing reads the answer to a dry run.
func changesNothing(_ sluice.Object, outcome sluice.Outcome, err error) (bool, error) {
	if c := sluice.ErrorCode(err); c == sluice.Conflict || c == sluice.Invalid {
		return false, nil
	}
	return outcome == sluice.Unchanged, err
}

func (r *restorer) removeCreated(ctx context.Context, ref sluice.Ref) (bool, error) {
	if mine, err := r.stillOurs(ctx, ref); err != nil || !mine {
		return false, err
	}
	err := object.Delete(ctx, r.account, ref)
	if sluice.ErrorCode(err) == sluice.Conflict {
		r.shared = append(r.shared, err.Error())
		return false, nil
	}
	return true, err
}

// stillOurs reports whether the object is as the step wrote it, and notes it if not.
func (r *restorer) stillOurs(ctx context.Context, ref sluice.Ref) (bool, error) {
	mine, err := r.isOurs(ctx, ref)
	if sluice.ErrorCode(err) == sluice.Conflict {
		err = nil
	}
	if err == nil && !mine {
		r.foreign = append(r.foreign, ref.String())
	}
	return mine, err
}

// isOurs reports whether the object is as the step wrote it. A field that somebody else has taken over is a Conflict.
func (r *restorer) isOurs(ctx context.Context, ref sluice.Ref) (bool, error) {
	o, known := r.ours[ref]
	if !known {
		return true, nil
	}
	_, outcome, err := r.account.Apply(ctx, o, true)
	if sluice.ErrorCode(err) == sluice.Invalid {
		return false, nil
	}
	return err == nil && outcome == sluice.Unchanged, object.WithOp("compare", ref, err)
}

// left returns an error that names what was not put back, nil if everything was.
func (r *restorer) left() error {
	var words []string
	if len(r.foreign) > 0 {
		words = append(words, strings.Join(r.foreign, ", ")+
			" changed since this deployment wrote it, so it was left as it is")
	}
	if len(r.taken) > 0 {
		words = append(words, "fields that others have set since were left as they are: "+strings.Join(r.taken, "; "))
	}
	if len(r.shared) > 0 {
		words = append(words, "what other applications use was left: "+strings.Join(r.shared, "; "))
	}
	if len(words) == 0 {
		return nil
	}
	return sluice.Errorf(sluice.Conflict, "%s", strings.Join(words, "; ")).
		WithHint("ask the people who changed it whether it is right; everything else was put back")
}
