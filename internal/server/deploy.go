package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/service"
)

// keysFor is how long the idempotency key of a request is remembered.
const keysFor = 24 * time.Hour

// A Started is a deployment that a request began.
type Started struct {
	ID       sluice.DeploymentID
	Warnings sluice.Diagnostics
	Again    bool // an earlier request with the same key had begun it
}

// Deploy starts a deployment of the bundle. A request with the key of an earlier one of the same caller returns the
// deployment that the earlier one began; with another bundle it is Invalid. "" is no key.
func (s *Server) Deploy(ctx context.Context, c access.Caller, b service.Bundle, key string) (Started, error) {
	compiled, err := s.drafted(ctx, c, b)
	if err != nil {
		return Started{}, err
	}
	p := compiled.Plan
	entry := sluice.AuditEntry{Verb: string(access.Deploy), Application: p.Application}
	if err := s.needDeploy(ctx, c, entry, p); err != nil {
		return Started{}, err
	}
	started, err := s.start(ctx, c, p, key)
	started.Warnings = compiled.Warnings
	return started, err
}

// start begins the plan once for each key. The audit has an entry already.
func (s *Server) start(ctx context.Context, c access.Caller, p *sluice.Plan, key string) (Started, error) {
	told, err := s.starting()
	if err != nil {
		return Started{}, err
	}
	defer told()
	if key != "" {
		lease, err := s.turn(ctx, requestLease(c, key))
		if err != nil {
			return Started{}, err
		}
		defer func() { _ = lease.Release() }() // it ends with the process at the latest
		if id, err := s.begun(ctx, c, p, key); id != "" || err != nil {
			return Started{ID: id, Again: true}, err
		}
	}
	p.Request = key
	if err := s.Site.Check(ctx, p); err != nil {
		return Started{}, err
	}
	id, err := s.Engine.Start(ctx, p, c.Actor)
	return Started{ID: id}, err
}

// requestLease names the lease under which a request with the key is answered. There are few of them, because a store
// may keep something of each for good; requests that share one wait for each other.
func requestLease(c access.Caller, key string) sluice.DeploymentID {
	sum := sha256.Sum256([]byte(c.Actor.Identity + "\x00" + c.Actor.Name + "\x00" + key))
	return sluice.DeploymentID("request-" + hex.EncodeToString(sum[:1]))
}

// How long a request waits for its turn, and how often it looks: the end of a lease brings no news.
const (
	turnWithin = 20 * time.Second
	turnLook   = 20 * time.Millisecond
)

// turn takes the lease as soon as nobody holds it.
func (s *Server) turn(ctx context.Context, id sluice.DeploymentID) (sluice.Lease, error) {
	waiting, cancel := context.WithTimeout(ctx, turnWithin)
	defer cancel()
	look := time.NewTicker(turnLook)
	defer look.Stop()
	for {
		lease, err := s.Store.Lease(ctx, id)
		if sluice.ErrorCode(err) != sluice.Conflict {
			return lease, err
		}
		select {
		case <-look.C:
		case <-waiting.Done():
			return nil, sluice.Errorf(sluice.Unavailable, "a request with this idempotency key is still being answered").
				WithHint("try again")
		}
	}
}

// begun returns the deployment that an earlier request of the caller with the key began, "" if there was none.
func (s *Server) begun(
	ctx context.Context, c access.Caller, p *sluice.Plan, key string,
) (sluice.DeploymentID, error) {
	list, err := s.Store.Deployments(ctx, p.Application)
	if err != nil {
		return "", err
	}
	since := s.Now().Add(-keysFor)
	for _, d := range list {
		if d.StartedAt.Before(since) {
			break
		}
		for e, err := range s.Store.Read(ctx, d.ID, 0) {
			if err != nil {
				return "", err
			}
			same := e.Plan != nil && e.Plan.Request == key && e.Actor != nil &&
				e.Actor.Identity == c.Actor.Identity && e.Actor.Name == c.Actor.Name
			if same && e.Plan.Digest != p.Digest {
				return "", sluice.Errorf(sluice.Invalid, "this idempotency key began another deployment, %s", d.ID).
					WithHint("use a new key for each request")
			}
			if same {
				return d.ID, nil
			}
			break
		}
	}
	return "", nil
}
