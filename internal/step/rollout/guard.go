package rollout

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
	"github.com/sluice-cd/sluice/internal/step/object"
	"github.com/sluice-cd/sluice/internal/step/ready"
	"github.com/sluice-cd/sluice/internal/step/sibling"
)

// readyGrace is how long a pod that was ready may be unready. It is short, because a readiness probe does not report
// its first failure either.
const readyGrace = 10 * time.Second

// crashLines is how many lines of a pod that crashed an error shows: some may be of its new run.
const crashLines = 20

// Guard watches the pods of the new version that the target's steps have brought so far.
func (s *apply) Guard(ctx context.Context) error {
	g := s.newGuard()
	if len(g.workloads) == 0 {
		return nil
	}
	return g.watch(ctx, false)
}

// Well looks at these pods once, and goes on while one of them is in doubt.
func (s *apply) Well(ctx context.Context) error {
	g := s.newGuard()
	if until, err := g.look(ctx); err != nil || until.IsZero() {
		return err
	}
	return g.watch(ctx, true)
}

// A guard watches the pods of workloads. A pod that was ready must stay so, and must not be restarted. A pod that comes
// later, because a node is drained or an autoscaler adds it, may take its time to become ready first. Pods of other
// versions, and those that are being deleted, do not matter. As many pods of a workload may be unwell as the target
// tolerates unready ones.
type guard struct {
	account   sluice.Account
	tolerates sluice.Tolerance
	now       func() time.Time
	workloads map[podOwner][]sluice.Brought // oldest first
	pods      map[podKey]*guarded

	changed chan struct{} // holds one
	failed  chan error    // holds one
	mu      sync.Mutex
	stalled map[podOwner]string // why pods of the workload cannot become ready
}

// A podOwner names the workload of pods as they do.
type podOwner struct{ namespace, name string }

func ownerOf(ref sluice.Ref) podOwner { return podOwner{ref.Namespace, ref.String()} }

// A podKey distinguishes pods of a StatefulSet that have the same name one after the other.
type podKey struct {
	namespace, name string
	created         time.Time
}

// A guarded is a pod that was ready.
type guarded struct {
	restarts int       // that it had then
	unready  time.Time // since when it is not ready; zero: it is
}

func (s *apply) newGuard() *guard {
	g := &guard{
		account: s.account, tolerates: s.sc.Target.MaxUnready, now: s.deps.Now,
		workloads: map[podOwner][]sluice.Brought{}, pods: map[podKey]*guarded{},
		changed: make(chan struct{}, 1), failed: make(chan error, 1), stalled: map[podOwner]string{},
	}
	for _, b := range sibling.Brought(s.sc) {
		owner := ownerOf(b.Workload)
		g.workloads[owner] = append(g.workloads[owner], b)
	}
	return g
}

// watch judges the pods until one of them is not well. With once it returns when none is in doubt.
func (g *guard) watch(ctx context.Context, once bool) error {
	ctx, stop := context.WithCancel(ctx)
	var followers sync.WaitGroup
	defer followers.Wait()
	defer stop()
	kinds := map[sluice.Ref]bool{}
	for _, list := range g.workloads {
		kind := list[0].Workload
		kind.Name = ""
		kinds[kind] = true
	}
	for kind := range kinds {
		followers.Go(func() { g.follow(ctx, kind) })
	}
	return g.judge(ctx, once)
}

// follow notes each change of the workloads of a kind.
func (g *guard) follow(ctx context.Context, kind sluice.Ref) {
	failure := error(sluice.Errorf(sluice.Unavailable, "the account stopped reporting changes"))
	for o, err := range g.account.Watch(ctx, kind.APIVersion, kind.Kind, kind.Namespace) {
		if err != nil {
			failure = object.WithOp("watch", kind, err)
			break
		}
		owner := ownerOf(o.Ref())
		if g.workloads[owner] == nil {
			continue
		}
		why := ""
		if state := manifest.StatusWithin(o, g.tolerates); state.Phase == manifest.Failed {
			why = state.Message
		}
		g.mu.Lock()
		g.stalled[owner] = why
		g.mu.Unlock()
		select {
		case g.changed <- struct{}{}:
		default:
		}
	}
	select {
	case g.failed <- failure:
	default:
	}
}

// judge looks at the pods now, at each change, and when a grace is over.
func (g *guard) judge(ctx context.Context, once bool) error {
	for {
		until, err := g.look(ctx)
		if err != nil || once && until.IsZero() {
			return err
		}
		var over <-chan time.Time
		if !until.IsZero() {
			over = time.After(until.Sub(g.now()))
		}
		select {
		case <-g.changed:
		case <-over:
		case err := <-g.failed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// look looks at all pods. It returns when the first grace will be over, the zero time if no pod is in doubt.
func (g *guard) look(ctx context.Context) (until time.Time, err error) {
	refs := map[string][]sluice.Ref{}
	for owner, list := range g.workloads {
		refs[owner.namespace] = append(refs[owner.namespace], list[0].Workload)
	}
	for namespace, workloads := range refs {
		pods, err := ready.Pods(ctx, g.account, namespace, workloads...)
		if err != nil {
			return until, object.WithOp("look at the pods of", sluice.Ref{Kind: "Namespace", Name: namespace}, err)
		}
		over, err := g.lookAt(ctx, pods)
		if err != nil {
			return until, err
		}
		if !over.IsZero() && (until.IsZero() || over.Before(until)) {
			until = over
		}
	}
	return until, nil
}

// A health is what was found at the pods of one workload.
type health struct {
	pods     int
	doubtful []time.Time // when the graces of pods will be over
	unwell   []unwell
}

// An unwell is a pod, and what is wrong with it.
type unwell struct {
	pod  sluice.Pod
	what string
}

// lookAt looks at the pods of one namespace, as look does at all.
func (g *guard) lookAt(ctx context.Context, pods []sluice.Pod) (until time.Time, err error) {
	found := map[podOwner]*health{}
	for _, p := range pods {
		owner := podOwner{p.Namespace, p.Owner}
		if !slices.ContainsFunc(g.workloads[owner], func(b sluice.Brought) bool { return b.Revision == p.Revision }) {
			continue
		}
		if found[owner] == nil {
			found[owner] = &health{}
		}
		g.examine(p, found[owner])
	}
	for _, h := range found {
		may := g.tolerates.Of(h.pods)
		if len(h.unwell) > may {
			return until, g.failure(ctx, h.unwell, may)
		}
		if len(h.unwell)+len(h.doubtful) <= may {
			continue
		}
		if first := slices.MinFunc(h.doubtful, time.Time.Compare); until.IsZero() || first.Before(until) {
			until = first
		}
	}
	return until, nil
}

// examine adds what is wrong with a pod, or when its grace will be over if it is in doubt.
func (g *guard) examine(p sluice.Pod, h *health) {
	h.pods++
	was := g.known(p, g.workloads[podOwner{p.Namespace, p.Owner}])
	switch {
	case was != nil && p.Restarts > was.restarts:
		h.unwell = append(h.unwell, unwell{p, crash(p)})
		return
	case p.Ready:
		was.unready = time.Time{}
		return
	case g.whyStalled(p) != "":
		h.unwell = append(h.unwell, unwell{p, "cannot become ready: " + g.whyStalled(p)})
		return
	case was == nil:
		return // it starts
	case was.unready.IsZero():
		was.unready = g.now()
	}
	if over := was.unready.Add(readyGrace); over.After(g.now()) {
		h.doubtful = append(h.doubtful, over)
		return
	}
	h.unwell = append(h.unwell, unwell{p, fmt.Sprintf("was ready, and has not been for %s: %s", readyGrace, p.Reason)})
}

// known returns what is known of a pod that was or is ready, nil if it never was.
func (g *guard) known(p sluice.Pod, list []sluice.Brought) *guarded {
	key := podKey{p.Namespace, p.Name, p.Created}
	if g.pods[key] != nil {
		return g.pods[key]
	}
	for _, b := range list {
		if b.Revision == p.Revision && !p.Created.After(b.Newest) {
			g.pods[key] = &guarded{restarts: b.Restarts[p.Name]}
			return g.pods[key]
		}
	}
	if p.Ready {
		g.pods[key] = &guarded{restarts: p.Restarts}
	}
	return g.pods[key]
}

func (g *guard) whyStalled(p sluice.Pod) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.stalled[podOwner{p.Namespace, p.Owner}]
}

func crash(p sluice.Pod) string {
	how := "crashed while a step waited"
	if p.LastEnd != "" {
		how += ": " + p.LastEnd
	}
	return fmt.Sprintf("%s (restarts: %d)", how, p.Restarts)
}

// failure returns the error for a workload with more unwell pods than it may have. It names the last of them, with its
// last lines.
func (g *guard) failure(ctx context.Context, list []unwell, may int) error {
	last := list[len(list)-1]
	p, text := last.pod, fmt.Sprintf("%s: pod %s %s", last.pod.Owner, last.pod.Name, last.what)
	if may > 0 {
		text += fmt.Sprintf("; %d pods are not well (%d may be unready)", len(list), may)
	}
	words, err := ready.LastLines(ctx, g.account, p, crashLines)
	return ready.Failed(text, words, err).
		WithHint("look at the whole log with: sluice logs --pod %s/%s", p.Namespace, p.Name)
}
