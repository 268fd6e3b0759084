package agent

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/sluice-cd/sluice/internal/local/proxy"
	"github.com/sluice-cd/sluice/internal/secret"
)

// An Image says which program runs in place of a container image on this machine.
type Image struct {
	Command []string          `json:"command" yaml:"command"`             // the entrypoint
	Dir     string            `json:"dir,omitempty" yaml:"dir,omitempty"` // where its programs are
	Env     map[string]string `json:"env,omitempty" yaml:"env,omitempty"`
}

// An Agent is the running account. mu guards everything that controllers read and write.
type Agent struct {
	dir  string
	id   string       // marks every process of this account
	log  *slog.Logger // redacted
	ctx  context.Context
	quit context.CancelFunc

	redactor *secret.Redactor

	mu      sync.Mutex
	store   *store
	pods    map[string]*pod // by uid
	images  map[string]Image
	net     *network
	ports   map[portKey]*proxy.Port
	cuts    sync.Mutex   // one Cut at a time
	starts  sync.RWMutex // read-locked while a process is started, locked while a Cut needs that none is
	ending  bool         // Down has begun: nothing is started any more
	targets []byte       // what targets.json holds

	events  broadcast
	wakeup  chan struct{}
	logs    *logKeeper
	running sync.WaitGroup
}

// wake makes the controllers look again.
func (a *Agent) wake() {
	select {
	case a.wakeup <- struct{}{}:
	default:
	}
}

// control runs the controllers whenever something has changed or the time has come that they asked for.
func (a *Agent) control(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.wakeup:
		case <-timer.C:
		}
		timer.Reset(time.Until(a.reconcile()))
	}
}

// longAgo is when the controllers look again if nothing happens: practically never.
const longAgo = 24 * time.Hour

// reconcile brings every object one step closer to its spec. It returns when to look again at the latest.
func (a *Agent) reconcile() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	next := time.Now().Add(longAgo)
	if a.ending {
		return next
	}
	for _, e := range a.store.list("", "") {
		at, err := a.reconcileOne(e)
		if err != nil {
			a.log.Error("reconcile", "object", e.Object.Ref().String(), "namespace", e.key().Namespace, "error", err)
			at = time.Now().Add(time.Second)
		}
		if !at.IsZero() && at.Before(next) {
			next = at
		}
	}
	a.route()
	return next
}

// reconcileOne returns when it must be called again without an event, zero for never.
func (a *Agent) reconcileOne(e *entry) (time.Time, error) {
	if e.deleting() {
		return time.Time{}, a.finalise(e)
	}
	switch e.key().Kind {
	case "Deployment":
		return a.reconcileDeployment(e)
	case "StatefulSet":
		return a.reconcileStatefulSet(e)
	case "Job":
		return a.reconcileJob(e)
	}
	return time.Time{}, nil
}

// podsOf returns the workload's pods, oldest first.
func (a *Agent) podsOf(uid string) []*pod {
	var pods []*pod
	for _, p := range a.pods {
		if p.Owner.UID == uid {
			pods = append(pods, p)
		}
	}
	sortPods(pods)
	return pods
}
