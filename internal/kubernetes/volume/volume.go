// Package volume manages the generations of a cluster's claims: every generation is a PersistentVolume. A new one is
// filled through a claim of its own, the staging claim. To make it current, the claim is deleted and created again with
// the other volume. The volumes themselves say what an interrupted call has still to do:
//
//	label generation-of           the claim whose generation the volume is
//	annotation generation         how the caller names it
//	annotation reclaim-policy     what the policy will be again; meanwhile it is Retain
//	annotation generation-before  Use has begun, and has not finished: what was current before
//
// Start at [Volumes].
package volume

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
	"github.com/sluice-cd/sluice/internal/kubernetes/watch"
)

const (
	ofLabel        = "sluice-cd.github.io/generation-of"
	generationNote = "sluice-cd.github.io/generation"
	policyNote     = "sluice-cd.github.io/reclaim-policy"
	beforeNote     = "sluice-cd.github.io/generation-before"

	claimNote    = "sluice-cd.github.io/claim" // on a staging claim: whose it is, for people
	managedLabel = "app.kubernetes.io/managed-by"
	// provisionedNote names the provisioner that deletes a released volume with its data.
	provisionedNote = "pv.kubernetes.io/provisioned-by"
	// nodeNote asks the provisioner of a claim for a volume that the node can reach. The scheduler sets it.
	nodeNote = "volume.kubernetes.io/selected-node"

	retain = "Retain"
)

// Volumes manages the generations of a cluster's claims. It is safe for concurrent use.
type Volumes struct{ objects }

// New returns the volumes of a cluster. The informers learn of its writes.
func New(c *client.Client, i *watch.Informers) *Volumes { return &Volumes{objects{c, i}} }

// A subject is a claim whose generations are managed. It need not exist.
type subject struct {
	objects
	sluice.Ref
}

func (v *Volumes) subject(namespace, claim string) subject {
	return subject{v.objects, claimRef(namespace, claim)}
}

func claimRef(namespace, name string) sluice.Ref {
	return sluice.Ref{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: namespace, Name: name}
}

func volumeRef(name string) sluice.Ref {
	return sluice.Ref{APIVersion: "v1", Kind: "PersistentVolume", Name: name}
}

// label is the value of ofLabel. Names of claims can be longer than labels.
func (s subject) label() string { return digest(s.Namespace, s.Name) }

// maxStem bounds the part of a staging claim's name that people recognize. The whole is a valid label.
const maxStem = 40

// staging names the staging claim of the generation, and the snapshot if it is a cut.
func (s subject) staging(generation string) sluice.Ref {
	stem := strings.TrimRight(s.Name[:min(len(s.Name), maxStem)], "-.")
	return claimRef(s.Namespace, stem+"-"+digest(s.Name, generation))
}

func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return hex.EncodeToString(sum[:8])
}

// A generation is what the cluster has of one. The zero generation does not exist.
type generation struct {
	staging sluice.Object // nil: there is no staging claim, or no more
	volume  sluice.Object // nil: the staging claim is not bound
}

func (g generation) isAbsent() bool { return g.staging == nil && g.volume == nil }

// name returns that of the volume, "" if there is none.
func (g generation) name() string { return g.volume.Text("metadata", "name") }

// find returns the generation that has the name, as the caller or as the claim's object has named it.
func (s subject) find(ctx context.Context, name string) (generation, error) {
	staging, err := s.get(ctx, s.staging(name))
	if err != nil {
		return generation{}, err
	}
	if staging != nil && staging.Text("metadata", "labels", ofLabel) == s.label() {
		volume, err := s.volumeOf(ctx, staging)
		return generation{staging, volume}, err
	}
	marked, err := s.marked(ctx)
	if err != nil {
		return generation{}, err
	}
	for _, pv := range marked {
		if note(pv, generationNote) == name && (isOf(pv, s.Ref) || isOf(pv, s.staging(name))) {
			return generation{volume: pv}, nil
		}
	}
	pv, err := s.get(ctx, volumeRef(name))
	if err != nil || pv == nil || !isOf(pv, s.Ref) {
		return generation{}, err
	}
	return generation{volume: pv}, nil
}

// marked returns the volumes that are marked as generations of the claim, the current one included.
func (s subject) marked(ctx context.Context) ([]sluice.Object, error) {
	return s.labelled(ctx, volumeRef(""), ofLabel+"="+s.label())
}

// current returns the claim and its volume, nil for what does not exist.
func (s subject) current(ctx context.Context) (claim, volume sluice.Object, err error) {
	claim, err = s.get(ctx, s.Ref)
	if err != nil || claim == nil {
		return nil, nil, err
	}
	volume, err = s.volumeOf(ctx, claim)
	return claim, volume, err
}

// volumeOf returns the volume to which the claim is bound, nil if it is not.
func (s subject) volumeOf(ctx context.Context, claim sluice.Object) (sluice.Object, error) {
	name := claim.Text("spec", "volumeName")
	if name == "" {
		return nil, nil
	}
	return s.get(ctx, volumeRef(name))
}

// isOf reports whether the volume is or was bound to the claim, or is reserved for it.
func isOf(volume sluice.Object, claim sluice.Ref) bool {
	return volume.Text("spec", "claimRef", "namespace") == claim.Namespace &&
		volume.Text("spec", "claimRef", "name") == claim.Name
}

func note(o sluice.Object, key string) string { return o.Text("metadata", "annotations", key) }

func hasNote(o sluice.Object, key string) bool { return o.Field("metadata", "annotations", key) != nil }

func policy(volume sluice.Object) string { return volume.Text("spec", "persistentVolumeReclaimPolicy") }
