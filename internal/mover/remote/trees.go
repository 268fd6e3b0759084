package remote

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/beside"
	"github.com/sluice-cd/sluice/internal/mover/tree"
)

// Trees opens the volumes of transfers, each transfer by a Job of its own.
type Trees struct {
	bench *beside.Bench
}

// New returns what opens volumes by Jobs of the bench.
func New(b *beside.Bench) *Trees { return &Trees{b} }

// Open starts the Job of the transfer, or finds it, and returns its volumes. They must be closed; the Job stays until
// End.
func (t *Trees) Open(ctx context.Context, transfer sluice.Transfer) (*Volumes, error) {
	for _, v := range transfer.Volumes {
		if v.Mount == "" {
			return nil, sluice.Errorf(sluice.Unsupported, "no pod can mount the volume of the claim %s", v.Claim)
		}
	}
	s, err := t.bench.Open(ctx, beside.Work{
		Place: transfer.Place, Name: jobName(transfer), Volumes: transfer.Volumes,
		ReadOnly: transfer.Kind == sluice.TransferCopy,
	})
	return &Volumes{s, transfer.Volumes}, err
}

// End removes the Job of the transfer. It returns when nothing of it runs. Ending a Job that does not exist succeeds.
func (t *Trees) End(ctx context.Context, transfer sluice.Transfer) error {
	return t.bench.End(ctx, transfer.Place, jobName(transfer))
}

func jobName(t sluice.Transfer) string { return beside.Name(string(t.Kind), t.ID) }

// Volumes are those of one transfer.
type Volumes struct {
	session *beside.Session
	volumes []sluice.Volume
}

// Reader returns a reader of the volume with the number i.
func (v *Volumes) Reader(_ context.Context, i int) (tree.Reader, error) {
	return &reader{volume{v.session, i, v.volumes[i].Claim}}, nil
}

// Writer returns a writer of the volume with the number i. It returns the errors of [tree.Create].
func (v *Volumes) Writer(ctx context.Context, i int) (tree.Writer, error) {
	at := volume{v.session, i, v.volumes[i].Claim}
	key, err := beside.Call[struct{}, string](ctx, v.session, at.path("writers"), struct{}{}, nil)
	return &writer{volume: at, key: key}, at.named(err)
}

// Close closes the connection. The Job waits for the next one.
func (v *Volumes) Close() { v.session.Close() }

// A volume is one of a Job.
type volume struct {
	session *beside.Session
	number  int
	claim   string
}

func (v volume) path(call string) string { return fmt.Sprintf("/volumes/%d/%s", v.number, call) }

// named says whose error it is. The Job does not know the names of claims.
func (v volume) named(err error) error {
	if own, ok := errors.AsType[callersError](err); ok {
		return own.error
	}
	code := sluice.ErrorCode(err)
	if err == nil || code == sluice.Unavailable || code == sluice.Cancelled {
		return err
	}
	return sluice.Errorf(code, "beside the claim %s: %w", v.claim, err).WithHint("%s", sluice.ErrorHint(err))
}

// pauses are those after which a call is made again whose connection broke. The engine handles longer outages.
var pauses = []time.Duration{100 * time.Millisecond, 500 * time.Millisecond, 2 * time.Second, 5 * time.Second}

// A callersError comes from a function of the caller. It says nothing about the connection.
type callersError struct{ error }

func callers(err error) error {
	if err == nil {
		return nil
	}
	return callersError{err}
}

// again makes the call until it does not end as Unavailable. Calls that get further begin with the first pause again.
func again(ctx context.Context, call func() (further bool, err error)) error {
	for tries := 0; ; tries++ {
		further, err := call()
		if further {
			tries = 0
		}
		_, own := errors.AsType[callersError](err)
		if own || sluice.ErrorCode(err) != sluice.Unavailable || tries == len(pauses) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pauses[tries]):
		}
	}
}
