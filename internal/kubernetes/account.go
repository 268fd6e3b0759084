// Package kubernetes makes a Kubernetes cluster an account. The packages below it are the only importers of client-go,
// and import decisions of level 1, but no other adapter.
//
//	client   sends requests: kinds, errors, field managers       rights   which rights Sluice needs and lacks
//	pod      reads Pods: why one is not ready                    watch    Get, List, Watch, Follow
//	apply    Apply, Restore, Scale, Delete, Beside, Orphan       host     Pods, Logs, Tail, Exec, Evict
//	shift    Shift, Release                                      network  Address, Transport
//	traffic  what objects that divide traffic look like      volume   Describe, Cut, Stage, Use, Discard, Keep, Drop
//
// Start at [Open].
package kubernetes

import (
	"context"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/apply"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
	"github.com/sluice-cd/sluice/internal/kubernetes/host"
	"github.com/sluice-cd/sluice/internal/kubernetes/network"
	"github.com/sluice-cd/sluice/internal/kubernetes/rights"
	"github.com/sluice-cd/sluice/internal/kubernetes/shift"
	"github.com/sluice-cd/sluice/internal/kubernetes/volume"
	"github.com/sluice-cd/sluice/internal/kubernetes/watch"
)

// Options say which cluster an account is.
type Options = client.Options

// An Account is a Kubernetes cluster. It is safe for concurrent use.
type Account struct {
	*watch.Reader
	*apply.Writer
	*host.Host
	*network.Network
	*shift.Shifter
	*rights.Reviewer
	*volume.Volumes
	client    *client.Client
	informers *watch.Informers
}

// Open reads the configuration and does not contact the cluster. An unusable file or context is Invalid.
func Open(_ context.Context, o Options) (*Account, error) {
	c, err := client.Open(o)
	if err != nil {
		return nil, err
	}
	i := watch.NewInformers(c)
	r := watch.NewReader(c, i)
	return &Account{
		Reader: r, Writer: apply.NewWriter(c, i), Host: host.New(c, r, i), Network: network.New(c),
		Shifter: shift.New(c, i), Reviewer: rights.NewReviewer(c), Volumes: volume.New(c, i), client: c, informers: i,
	}, nil
}

// Abilities returns what the account can do.
func (a *Account) Abilities() sluice.Account {
	return sluice.Account{
		ClusterReader: a.Reader, ClusterWriter: a.Writer, Host: a.Host, Network: a.Network, Adopter: a.Writer,
		Shifter: a.Shifter, Volumes: a.Volumes, Snapshots: a.Volumes, Reviewer: a.Reviewer, Writers: writers{a.Writer},
	}
}

// writers makes writers that write on behalf of applications.
type writers struct{ *apply.Writer }

// For implements sluice.Writers.
func (w writers) For(writing sluice.Writing) (sluice.ClusterWriter, sluice.Adopter) {
	writer := w.Writer.For(writing)
	return writer, writer
}

// Reach asks the API server for its version. It returns Unavailable if the server does not answer, and
// Unauthenticated if it refuses the credentials.
func (a *Account) Reach(ctx context.Context) (client.Reached, error) { return a.client.Reach(ctx) }

// Close ends what the account keeps open on this machine. It changes nothing in the cluster.
func (a *Account) Close() error {
	a.informers.Close()
	a.Network.Close()
	a.client.Close()
	return nil
}
