package postgres

import (
	"context"
	"slices"
	"sync"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/appending"
)

// Append implements [sluice.Log]. An event without a time or a kind is Invalid: the store reads no clock. If this Store
// leased the deployment and did not release it, a lost lease is a Conflict. After Unavailable the events may be in the
// log all the same, if the database went away during the commit: the same call again succeeds then and adds nothing.
func (s *Store) Append(ctx context.Context, id sluice.DeploymentID, after sluice.Seq, events ...sluice.Event) error {
	if len(events) == 0 {
		return nil
	}
	call, err := appending.New(id, after, events)
	if err != nil {
		return err
	}
	token, err := s.leases.token(id)
	if err != nil {
		return err
	}
	a := ask{deployments: []string{string(id)}, competes: call.Competes()}
	if call.Application() != "" {
		a.applications = []string{call.Application()}
	}
	for _, letter := range call.Letters {
		a.letters = append(a.letters, int64(letter))
	}
	if s.doubts.has(call) {
		a.doubts = []*appending.Call{call}
	}
	var refusal error
	err = s.writer.do(ctx, a, func(t *transaction) error {
		refusal = t.append(call, token)
		return refusal
	})
	s.doubts.note(call, err, refusal)
	return err
}

// append adds the events, unless they are refused or there already.
func (t *transaction) append(call *appending.Call, token int64) error {
	if token != 0 && token != t.deployments[call.ID].token {
		return appending.Lost(call.ID)
	}
	if slices.Equal(t.stored[call], call.Bodies) {
		return nil
	}
	change, err := call.Decide(t)
	if err != nil {
		return err
	}
	t.apply(change)
	return nil
}

// Doubts are appends of which this process does not know whether they were committed, since the connection broke before
// the answer came; one a deployment. Without them an engine that tries again after an outage would meet its own events,
// and take them for those of another process.
type doubts struct {
	mu    sync.Mutex
	calls map[sluice.DeploymentID]*appending.Call
}

// has reports whether the call repeats one that is in doubt.
func (d *doubts) has(call *appending.Call) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.calls[call.ID]
	return c != nil && c.After == call.After && slices.Equal(c.Bodies, call.Bodies)
}

// note keeps a call that ended with err, unless it was refused or never begun.
func (d *doubts) note(call *appending.Call, err, refusal error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case err == nil || refusal != nil:
		delete(d.calls, call.ID)
	case sluice.ErrorCode(err) == sluice.Cancelled:
	case d.calls == nil:
		d.calls = map[sluice.DeploymentID]*appending.Call{call.ID: call}
	default:
		d.calls[call.ID] = call
	}
}
