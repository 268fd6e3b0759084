package rollout

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
	"github.com/sluice-cd/sluice/internal/step/deps"
	"github.com/sluice-cd/sluice/internal/step/object"
	"github.com/sluice-cd/sluice/internal/step/ready"
	"github.com/sluice-cd/sluice/internal/step/record"
)

// An image is what a step needs to put things back. Secrets in it are sealed.
type image struct {
	At       time.Time    `json:"at"`                 // when it was taken; the step's deadline counts from here
	Before   []before     `json:"before"`             // the objects that the step writes, in its order
	Canaries []sluice.Ref `json:"canaries,omitempty"` // the Deployments that change version through a canary
	Deferred []sluice.Ref `json:"deferred,omitempty"` // the ConfigMaps and Secrets that change with them
	Kept     []sluice.Ref `json:"kept,omitempty"`     // the Deployments that change, but not in their pods
	Ordered  []sluice.Ref `json:"ordered,omitempty"`  // the StatefulSets and DaemonSets that change pod by pod
	First    bool         `json:"first,omitempty"`    // there are workloads, and none of them was there before
}

// before is one object as it was; a nil Object was absent.
type before struct {
	Ref    sluice.Ref    `json:"ref"`
	Object sluice.Object `json:"object"`
	Ready  bool          `json:"ready,omitempty"`
}

func takenImage(p sluice.Progress) (img image, taken bool, err error) {
	if len(p.Snapshot) == 0 {
		return image{}, false, nil
	}
	return img, true, record.Read(p.Snapshot, &img)
}

// add takes one object into the image.
func (img *image) add(ref sluice.Ref, was sluice.Object, sealer sluice.Sealer) error {
	b := before{Ref: ref}
	if was != nil {
		b.Ready = ready.Is(was)
		b.Object = memory(was)
		if err := manifest.SealSecrets([]sluice.Object{b.Object}, sealer); err != nil {
			return err
		}
	}
	img.Before = append(img.Before, b)
	return nil
}

// object returns the object as it was, nil where it was absent or is not in the image.
func (img image) object(ref sluice.Ref) sluice.Object {
	for _, b := range img.Before {
		if b.Ref == ref {
			return b.Object
		}
	}
	return nil
}

// unready returns those of the objects that the step writes at once and that were there, and not ready.
func (img image) unready(objects []sluice.Object) []sluice.Ref {
	var refs []sluice.Ref
	for _, b := range img.Before {
		ours := slices.ContainsFunc(objects, func(o sluice.Object) bool { return o.Ref() == b.Ref })
		if ours && b.Object != nil && !b.Ready && !slices.Contains(img.Ordered, b.Ref) {
			refs = append(refs, b.Ref)
		}
	}
	return refs
}

// memory returns what it takes to put the object back, with the record of who set which field.
func memory(o sluice.Object) sluice.Object {
	m := object.Wanted(o)
	if fields := o.Field("metadata", "managedFields"); fields != nil {
		m.Set(sluice.Object{"fields": fields}.Clone()["fields"], "metadata", "managedFields")
	}
	return m
}

// A restorer puts objects back as an image has them. What somebody else has changed meanwhile is left alone
// and named at the end: fields where the account knows who set them, otherwise whole objects.
type restorer struct {
	deps    deps.Deps
	account sluice.Account
	ours    map[sluice.Ref]sluice.Object // what the step wrote
	foreign []string                     // objects
	taken   []string                     // fields, in words
}

func newRestorer(d deps.Deps, a sluice.Account, objects []sluice.Object) *restorer {
	r := &restorer{deps: d, account: a, ours: map[sluice.Ref]sluice.Object{}}
	for _, o := range objects {
		r.ours[o.Ref()] = o
	}
	return r
}

// restore puts one object back. It reports whether the object is back, which it may have been before.
func (r *restorer) restore(ctx context.Context, b before) (back bool, err error) {
	now, err := object.Get(ctx, r.account, b.Ref)
	if err != nil || now == nil && b.Object == nil {
		return false, err
	}
	if b.Object == nil {
		return r.removeCreated(ctx, b.Ref)
	}
	was := b.Object.Clone()
	if err := manifest.OpenSecrets([]sluice.Object{was}, r.deps.Sealer); err != nil {
		return false, err
	}
	if now != nil {
		if back, err := r.isBack(ctx, was); err != nil || back {
			return back, err
		}
		mine, err := r.isOurs(ctx, b.Ref)
		if sluice.ErrorCode(err) == sluice.Conflict {
			return r.restoreRest(ctx, was)
		}
		if err != nil {
			return false, err
		}
		if !mine {
			r.foreign = append(r.foreign, b.Ref.String())
			return false, nil
		}
	}
	if b.Ref.Kind == "Job" {
		return r.removeCreated(ctx, b.Ref) // applying the old one would run it again
	}
	if err := ctx.Err(); err != nil {
		return false, err
	}
	_, _, err = r.account.Restore(ctx, was, false)
	return err == nil, object.WithOp("restore", b.Ref, err)
}

// restoreRest puts back what nobody else has taken over of the object.
func (r *restorer) restoreRest(ctx context.Context, was sluice.Object) (back bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	_, _, err = r.account.Restore(ctx, was, false)
	if sluice.ErrorCode(err) != sluice.Conflict {
		return err == nil, object.WithOp("restore", was.Ref(), err)
	}
	r.taken = append(r.taken, was.Ref().String()+": "+err.Error())
	return true, nil
}

// isBack reports whether restoring the object would change nothing.
func (r *restorer) isBack(ctx context.Context, was sluice.Object) (bool, error) {
	return same(r.account.Restore(ctx, was, true))
}

func (r *restorer) removeCreated(ctx context.Context, ref sluice.Ref) (bool, error) {
	if mine, err := r.stillOurs(ctx, ref); err != nil || !mine {
		return false, err
	}
	return true, object.Delete(ctx, r.account, ref)
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

// same reads a preview: whether it would change nothing.
func same(_ sluice.Object, outcome sluice.Outcome, err error) (bool, error) {
	if c := sluice.ErrorCode(err); c == sluice.Conflict || c == sluice.Invalid {
		return false, nil
	}
	return outcome == sluice.Unchanged, err
}

// left returns an error that names what was not put back, nil if everything was.
func (r *restorer) left() error {
	var words []string
	if len(r.foreign) > 0 {
		words = append(words, strings.Join(r.foreign, ", ")+" changed since this deployment wrote it, so it was left as it is")
	}
	if len(r.taken) > 0 {
		words = append(words, "what others have set since was left as it is: "+strings.Join(r.taken, "; "))
	}
	if len(words) == 0 {
		return nil
	}
	return sluice.Errorf(sluice.Conflict, "%s", strings.Join(words, "; ")).
		WithHint("whoever changed it knows what it should be; everything else was put back")
}
