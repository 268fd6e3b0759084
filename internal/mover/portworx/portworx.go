// Package portworx moves volumes between two clusters by Migrations of Stork, the controller of Portworx. Stork judges
// itself mildly: it calls a run successful that moved nothing, ends a failed one in its stage Final as well, and stays
// where it is for ever if the input is wrong. So this package asks for exact claims, follows each volume, and has
// deadlines of its own.
//
// It acts through the contracts of accounts only. Start reading at [Migrator.Run]; judge.go says what each state of a
// Migration means.
package portworx

import (
	"cmp"
	"context"
	"time"

	"github.com/sluice-cd/sluice"
)

// Name is the name of the mover in deploy files.
const Name = "portworx"

// The names of Stork.
const (
	group      = "stork.libopenstorage.org"
	apiVersion = group + "/v1alpha1"
)

// Options bound how long a move may take.
type Options struct {
	Idle    time.Duration // without any change of the Migration; default 10 minutes
	Overall time.Duration // default 12 hours
}

// A Migrator moves volumes by Stork.
type Migrator struct{ options Options }

var _ sluice.Migrator = (*Migrator)(nil)

// New returns a migrator. It contacts nobody.
func New(o Options) *Migrator {
	o.Idle = cmp.Or(o.Idle, 10*time.Minute)
	o.Overall = cmp.Or(o.Overall, 12*time.Hour)
	return &Migrator{o}
}

// migrationRef names the Migration of a move. Stork looks for its pair in its own namespace.
func migrationRef(m sluice.Move) sluice.Ref {
	return sluice.Ref{APIVersion: apiVersion, Kind: "Migration", Namespace: pairRef(m).Namespace, Name: nameOf(m)}
}

func nameOf(m sluice.Move) string { return "sluice-" + m.ID }

func pairRef(m sluice.Move) sluice.Ref {
	namespace := cmp.Or(m.Portworx.Namespace, m.From.Namespace)
	return sluice.Ref{APIVersion: apiVersion, Kind: "ClusterPair", Namespace: namespace, Name: m.Portworx.ClusterPair}
}

func claimRef(p sluice.Place, name string) sluice.Ref {
	return sluice.Ref{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: p.Namespace, Name: name}
}

func volumeRef(name string) sluice.Ref {
	return sluice.Ref{APIVersion: "v1", Kind: "PersistentVolume", Name: name}
}

func volumeOf(claim sluice.Object) string { return claim.Text("spec", "volumeName") }

// cameBy reports whether the move brought the object.
func cameBy(m sluice.Move, o sluice.Object) bool {
	return o.Text("metadata", "annotations", group+"/migrationName") == nameOf(m)
}

// get returns nil for an object that does not exist.
func get(ctx context.Context, p sluice.Place, ref sluice.Ref) (sluice.Object, error) {
	o, err := p.Account.Get(ctx, ref)
	if sluice.ErrorCode(err) == sluice.NotFound {
		return nil, nil
	}
	return o, err
}
