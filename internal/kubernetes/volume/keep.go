package volume

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
)

// A kept snapshot is a VolumeSnapshotContent with the handle of a cut's snapshot. It is reserved for a VolumeSnapshot
// that nobody makes.
const (
	keptLabel = "sluice-cd.github.io/kept"      // under which id it is kept, as a digest
	keptNote  = "sluice-cd.github.io/kept-as"   // the id, for people
	partNote  = "sluice-cd.github.io/kept-part" // which volume of how many it is, as 1/2

	// contentFinalizer lets the driver delete the snapshot before the content is gone. The cluster itself adds it only to
	// contents that are bound.
	contentFinalizer = "snapshot.storage.kubernetes.io/volumesnapshotcontent-bound-protection"
	// secretNotes begin the annotations that name the credentials to delete a snapshot.
	secretNotes = "snapshot.storage.kubernetes.io/deletion-secret-"

	reclaimed = "Delete"
)

func contentRef(name string) sluice.Ref {
	return sluice.Ref{APIVersion: snapshotGroup + "/v1", Kind: contentKind, Name: name}
}

// Keep gives the handles of the cut's snapshots to contents of their own. Before, it lets the snapshots outlive the
// namespace.
func (v *Volumes) Keep(ctx context.Context, id string, volumes []sluice.Volume) error {
	if _, err := v.Kept(ctx, id); sluice.ErrorCode(err) != sluice.NotFound {
		return err
	}
	for i, of := range volumes {
		s := snapshot{v.subject(of.Namespace, of.Claim), of.Generation}
		content, err := s.content(ctx)
		if err != nil {
			return err
		}
		if err := s.change(ctx, content.Ref(), s.outlive); err != nil {
			return err
		}
		kept, err := s.kept(ctx, content, id)
		if err != nil {
			return err
		}
		kept.Set(fmt.Sprintf("%d/%d", i+1, len(volumes)), "metadata", "annotations", partNote)
		if err := v.makeKept(ctx, kept, id); err != nil {
			return err
		}
	}
	return nil
}

// makeKept creates the content. One that an interrupted call has made must be of the same cut.
func (c objects) makeKept(ctx context.Context, kept sluice.Object, id string) error {
	ref := kept.Ref()
	_, isTaken, err := c.create(ctx, kept.Clone())
	if err != nil || !isTaken {
		return err
	}
	there, err := c.get(ctx, ref)
	if err == nil && there.Text("spec", "source", "snapshotHandle") != kept.Text("spec", "source", "snapshotHandle") {
		return sluice.Errorf(sluice.Conflict, "the %s is kept as %s, but of another cut", ref, id).
			WithHint("somebody has deleted snapshots meanwhile; cancel the deployment and start it again")
	}
	return err
}

// content returns the content of the cut's snapshot.
func (s snapshot) content(ctx context.Context) (sluice.Object, error) {
	o, err := s.get(ctx, s.ref())
	if err != nil {
		return nil, err
	}
	if o == nil {
		return nil, sluice.Errorf(sluice.Unsupported, "the claim %s in %s was not copied by a snapshot", s.Name, s.Namespace)
	}
	name := o.Text("status", "boundVolumeSnapshotContentName")
	content, err := s.get(ctx, contentRef(name))
	if err == nil && content.Text("status", "snapshotHandle") == "" {
		err = sluice.Errorf(sluice.Unavailable, "the storage has not named its snapshot of the claim %s yet", s.Name)
	}
	return content, err
}

// outlive is the change by which the snapshot outlives its namespace, and the content is found without it.
func (s snapshot) outlive(content sluice.Object) sluice.Object {
	patch := withPolicy(retain)(content)
	if patch == nil && content.Text("metadata", "labels", ofLabel) == s.label() {
		return nil
	}
	if patch == nil {
		patch = sluice.Object{}
	}
	patch.Set(s.label(), "metadata", "labels", ofLabel)
	return patch
}

// withPolicy is the change of what happens to the driver's snapshot when the content is deleted.
func withPolicy(policy string) func(sluice.Object) sluice.Object {
	return func(content sluice.Object) sluice.Object {
		if content.Text("spec", "deletionPolicy") == policy {
			return nil
		}
		return sluice.Object{"spec": map[string]any{"deletionPolicy": policy}}
	}
}

// kept returns the content by which the snapshot of the other content is kept under the id.
func (s snapshot) kept(ctx context.Context, content sluice.Object, id string) (sluice.Object, error) {
	stem := strings.TrimRight(s.Name[:min(len(s.Name), maxStem)], "-.")
	o := reserved(content, stem+"-"+digest(id, s.Namespace, s.Name))
	o.Set(digest(id), "metadata", "labels", keptLabel)
	o.Set(id, "metadata", "annotations", keptNote)
	o.Set(s.Name, "metadata", "annotations", claimNote)
	o.Set([]any{contentFinalizer}, "metadata", "finalizers")
	o.Set(map[string]any{"namespace": s.Namespace, "name": o.Ref().Name}, "spec", "volumeSnapshotRef")
	now, err := s.get(ctx, s.Ref)
	if err != nil {
		return nil, err
	}
	return o, s.place(ctx, o, now)
}

// reserved returns a content of the name for the snapshot of the other one.
func reserved(other sluice.Object, name string) sluice.Object {
	ref := contentRef(name)
	o := sluice.Object{"apiVersion": ref.APIVersion, "kind": ref.Kind}
	o.Set(name, "metadata", "name")
	o.Set(sluice.Manager, "metadata", "labels", managedLabel)
	notes, _ := other.Field("metadata", "annotations").(map[string]any)
	for key, value := range notes {
		if strings.HasPrefix(key, secretNotes) {
			o.Set(value, "metadata", "annotations", key)
		}
	}
	for _, field := range []string{"driver", "sourceVolumeMode", "volumeSnapshotClassName"} {
		if value := other.Field("spec", field); value != nil {
			o.Set(value, "spec", field)
		}
	}
	o.Set(retain, "spec", "deletionPolicy")
	o.Set(other.Text("status", "snapshotHandle"), "spec", "source", "snapshotHandle")
	return o
}

// Kept lists the contents.
func (v *Volumes) Kept(ctx context.Context, id string) ([]sluice.Snapshot, error) {
	contents, err := v.labelled(ctx, contentRef(""), keptLabel+"="+digest(id))
	if err != nil && sluice.ErrorCode(err) != sluice.Unsupported {
		return nil, err
	}
	slices.SortFunc(contents, func(a, b sluice.Object) int {
		n, _ := part(a)
		m, _ := part(b)
		return n - m
	})
	if len(contents) == 0 || !isWhole(contents) {
		return nil, sluice.Errorf(sluice.NotFound, "no snapshots are kept as %s", id)
	}
	list := make([]sluice.Snapshot, len(contents))
	for i, o := range contents {
		list[i] = snapshotOf(o)
	}
	return list, nil
}

// Look reads the content.
func (v *Volumes) Look(ctx context.Context, name string) (sluice.Snapshot, error) {
	o, err := v.look(ctx, name)
	if err != nil {
		return sluice.Snapshot{}, err
	}
	return snapshotOf(o), nil
}

func (c objects) look(ctx context.Context, name string) (sluice.Object, error) {
	o, err := c.get(ctx, contentRef(name))
	if err == nil && o.Text("metadata", "labels", keptLabel) == "" {
		err = sluice.Errorf(sluice.NotFound, "there is no kept snapshot %s", name).
			WithHint("list those that are there with: kubectl get volumesnapshotcontents --selector %s", keptLabel)
	}
	return o, err
}

func snapshotOf(content sluice.Object) sluice.Snapshot {
	s := sluice.Snapshot{
		Name: content.Ref().Name, Claim: note(content, claimNote), Size: int64(content.Number(0, "status", "restoreSize")),
		Reason: client.OneLine(content.Text("status", "error", "message")),
	}
	if s.Ready, _ = content.Field("status", "readyToUse").(bool); s.Ready {
		s.Reason = ""
	}
	return s
}

// part says which volume of how many the content is, 0 if it does not say it.
func part(content sluice.Object) (n, of int) {
	_, _ = fmt.Sscanf(note(content, partNote), "%d/%d", &n, &of)
	return n, of
}

func isWhole(contents []sluice.Object) bool {
	_, of := part(contents[0])
	return of == len(contents)
}

// Drop deletes the contents, and has the driver delete its snapshots.
func (v *Volumes) Drop(ctx context.Context, id string) error {
	contents, err := v.labelled(ctx, contentRef(""), keptLabel+"="+digest(id))
	if sluice.ErrorCode(err) == sluice.Unsupported { // the cluster has no snapshots
		return nil
	}
	for _, o := range contents {
		if err == nil {
			err = v.change(ctx, o.Ref(), withPolicy(reclaimed))
		}
		if err == nil {
			err = v.remove(ctx, o)
		}
	}
	return err
}
