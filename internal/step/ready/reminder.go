package ready

import (
	"context"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/sluice-cd/sluice"
)

// remindEvery is how often a wait asks why pods are not ready. A pod that waits sends no events.
const remindEvery = 10 * time.Second

// A reminder reports what objects wait for: when it is told, and now and then with the reason of a pod.
type reminder struct {
	Waiter
	ended chan struct{}

	mu    sync.Mutex
	waits map[sluice.Ref]wait
}

// A wait is what is known of one object.
type wait struct{ message, reason, crash string }

// remind returns a reminder that works until ctx ends.
func (w Waiter) remind(ctx context.Context) *reminder {
	r := &reminder{Waiter: w, ended: make(chan struct{}), waits: map[sluice.Ref]wait{}}
	go func() {
		defer close(r.ended)
		ticks := time.NewTicker(remindEvery)
		defer ticks.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticks.C:
				r.look(ctx)
			}
		}
	}()
	return r
}

// say reports what the object waits for, and how a pod of it crashed.
func (r *reminder) say(ref sluice.Ref, message, crash string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report(ref, wait{message, r.waits[ref].reason, crash})
}

// done forgets an object that is ready.
func (r *reminder) done(ref sluice.Ref) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.waits, ref)
}

// report reports a change. The mutex is held.
func (r *reminder) report(ref sluice.Ref, now wait) {
	r.waits[ref] = now
	message := ref.String() + ": " + now.message + now.reason + now.crash
	r.Report(sluice.Progress{State: sluice.Running, Message: message})
}

func (r *reminder) look(ctx context.Context) {
	r.mu.Lock()
	waits := maps.Clone(r.waits)
	r.mu.Unlock()
	for ref, before := range waits {
		reason := r.why(ctx, ref, before.message)
		r.mu.Lock()
		if now, ok := r.waits[ref]; ok && ctx.Err() == nil {
			now.reason = reason
			r.report(ref, now)
		}
		r.mu.Unlock()
	}
}

// why returns why the first pod of the workload is not ready, "" if the message names it or the account cannot say.
func (r *reminder) why(ctx context.Context, workload sluice.Ref, message string) string {
	pods, err := r.Account.Pods(ctx, workload.Namespace, workload)
	if err != nil {
		return ""
	}
	for _, p := range pods {
		if p.Owner == workload.String() && !p.Ready && p.Reason != "" && !strings.Contains(message, p.Name) {
			return "; pod " + p.Name + ": " + p.Reason
		}
	}
	return ""
}
