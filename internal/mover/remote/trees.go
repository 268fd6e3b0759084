package remote

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/beside"
	"github.com/sluice-cd/sluice/internal/mover/tree"
)

// Trees opens the volumes of transfers. Each transfer has a Job of its own, and one connection to it while a volume is
// open.
type Trees struct {
	bench *beside.Bench

	mu   sync.Mutex // held while a connection is made
	open map[string]*shared
}

// A shared session is that of all open volumes of a transfer.
type shared struct {
	session *beside.Session
	users   int
}

// New returns what opens volumes by Jobs of the bench.
func New(b *beside.Bench) *Trees { return &Trees{bench: b, open: map[string]*shared{}} }

// Reader returns a reader of a volume of the transfer. It starts the transfer's Job if there is none. Only a volume
// without a Mount is Unsupported.
func (t *Trees) Reader(ctx context.Context, of sluice.Transfer, v sluice.Volume) (tree.Reader, error) {
	at, err := t.volume(ctx, of, v)
	if err != nil {
		return nil, err
	}
	return &reader{at}, nil
}

// Writer returns a writer of a volume of the transfer, like Reader. It takes and returns what [tree.Create] does.
func (t *Trees) Writer(
	ctx context.Context, of sluice.Transfer, v sluice.Volume, content string,
) (tree.Writer, error) {
	at, err := t.volume(ctx, of, v)
	if err != nil {
		return nil, err
	}
	made, err := beside.Call[string, opened](ctx, at.session, at.path("writers"), content, nil)
	if err != nil {
		return nil, errors.Join(at.named(err), at.Close())
	}
	return &writer{volume: at, opened: made}, nil
}

// Mount starts the Job of the transfer and returns when its pod runs, so that all of its volumes are made and mounted.
func (t *Trees) Mount(ctx context.Context, of sluice.Transfer) error {
	_, leave, err := t.join(ctx, of)
	if err == nil {
		leave()
	}
	return err
}

// End removes the Job of the transfer. It returns when nothing of it runs. Ending a Job that does not exist succeeds.
func (t *Trees) End(ctx context.Context, of sluice.Transfer) error {
	return t.bench.End(ctx, of.Place, jobName(of))
}

// Leave removes the Job of the transfer in the background.
func (t *Trees) Leave(of sluice.Transfer) { t.bench.Leave(of.Place, jobName(of)) }

func jobName(t sluice.Transfer) string { return beside.Name(string(t.Kind), t.ID) }

func (t *Trees) volume(ctx context.Context, of sluice.Transfer, v sluice.Volume) (volume, error) {
	number := slices.Index(of.Volumes, v)
	for _, v := range of.Volumes {
		if v.Mount == "" {
			return volume{}, sluice.Errorf(sluice.Unsupported, "no pod can mount the volume of the claim %s", v.Claim)
		}
	}
	s, leave, err := t.join(ctx, of)
	return volume{session: s, number: number, claim: v.Claim, leave: leave}, err
}

// join returns the session of the transfer, and what says that a volume no longer uses it.
func (t *Trees) join(ctx context.Context, of sluice.Transfer) (*beside.Session, func(), error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := of.Place.Name + "/" + of.Place.Namespace + "/" + jobName(of)
	s := t.open[key]
	if s == nil {
		session, err := t.bench.Open(ctx, beside.Work{
			Place: of.Place, Name: jobName(of), Volumes: of.Volumes, ReadOnly: of.Kind == sluice.TransferCopy,
		})
		if err != nil {
			return nil, nil, err
		}
		s = &shared{session: session}
		t.open[key] = s
	}
	s.users++
	return s.session, sync.OnceFunc(func() { t.left(key, s) }), nil
}

// left closes a session that no volume uses any more. The Job waits for the next one.
func (t *Trees) left(key string, s *shared) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.users--; s.users > 0 {
		return
	}
	s.session.Close()
	delete(t.open, key)
}

// A volume is one of a Job.
type volume struct {
	session *beside.Session
	number  int
	claim   string
	leave   func()
}

// Close says that the volume is no longer used.
func (v volume) Close() error {
	v.leave()
	return nil
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
