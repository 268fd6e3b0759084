package proxy

import (
	"context"
	"sync"
)

// An Endpoint is one ready pod's port.
type Endpoint struct {
	Pod     string // its uid
	Address string // host:port
	Canary  bool
}

// A Balancer chooses the endpoint of each request. It is safe for concurrent use.
type Balancer struct {
	mu      sync.Mutex
	stable  ring
	canary  ring
	percent int
	spill   int           // how much of the next canary request is saved up, in percent
	changed chan struct{} // closed and replaced when endpoints or the percentage change
	busy    map[string]int
	idle    chan struct{} // closed and replaced when a pod has no open request any more
}

// NewBalancer returns one without endpoints.
func NewBalancer() *Balancer {
	return &Balancer{changed: make(chan struct{}), idle: make(chan struct{}), busy: map[string]int{}}
}

// Set replaces the endpoints.
func (b *Balancer) Set(endpoints []Endpoint) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stable.endpoints, b.canary.endpoints = nil, nil
	for _, e := range endpoints {
		side := &b.stable
		if e.Canary {
			side = &b.canary
		}
		side.endpoints = append(side.endpoints, e)
	}
	close(b.changed)
	b.changed = make(chan struct{})
}

// Undivided is the percentage with which every endpoint gets its share, whichever track it is on.
const Undivided = -1

// Shift sets the percentage for every choice made after it returns.
func (b *Balancer) Shift(percent int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.percent == percent {
		return
	}
	b.percent, b.spill = percent, 0
	close(b.changed)
	b.changed = make(chan struct{})
}

// Acquire chooses an endpoint that is not in tried, waiting until there is one or ctx ends. The caller MUST
// call release when the request is over.
func (b *Balancer) Acquire(ctx context.Context, tried map[string]bool) (e Endpoint, release func(), err error) {
	for {
		b.mu.Lock()
		e, ok := b.choose(tried)
		if ok {
			b.busy[e.Pod]++
		}
		changed := b.changed
		b.mu.Unlock()
		if ok {
			return e, sync.OnceFunc(func() { b.release(e.Pod) }), nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Endpoint{}, nil, ctx.Err()
		}
	}
}

// choose saves up the canary's share request by request, so that the division is exact over any hundred requests and
// evenly spread. At 0 the canary gets nothing, even when the stable side has no pod.
func (b *Balancer) choose(tried map[string]bool) (Endpoint, bool) {
	percent := b.percent
	if all := len(b.stable.endpoints) + len(b.canary.endpoints); percent == Undivided && all > 0 {
		percent = 100 * len(b.canary.endpoints) / all
	}
	stable, canary := b.stable.left(tried), percent > 0 && b.canary.left(tried)
	if !stable && !canary {
		return Endpoint{}, false
	}
	if !stable || !canary {
		return b.only(stable).next(tried), true
	}
	b.spill += percent
	if b.spill < 100 {
		return b.stable.next(tried), true
	}
	b.spill -= 100
	return b.canary.next(tried), true
}

func (b *Balancer) only(stable bool) *ring {
	if stable {
		return &b.stable
	}
	return &b.canary
}

func (b *Balancer) release(pod string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.busy[pod]--
	if b.busy[pod] > 0 {
		return
	}
	delete(b.busy, pod)
	close(b.idle)
	b.idle = make(chan struct{})
}

// Drain waits until the pod has no open request, or ctx ends.
func (b *Balancer) Drain(ctx context.Context, pod string) {
	for {
		b.mu.Lock()
		n, idle := b.busy[pod], b.idle
		b.mu.Unlock()
		if n == 0 {
			return
		}
		select {
		case <-idle:
		case <-ctx.Done():
			return
		}
	}
}

// A ring hands out its endpoints in turn.
type ring struct {
	endpoints []Endpoint
	turn      int
}

func (r *ring) left(tried map[string]bool) bool {
	for _, e := range r.endpoints {
		if !tried[e.Pod] {
			return true
		}
	}
	return false
}

func (r *ring) next(tried map[string]bool) Endpoint {
	for {
		e := r.endpoints[r.turn%len(r.endpoints)]
		r.turn = (r.turn + 1) % len(r.endpoints)
		if !tried[e.Pod] {
			return e
		}
	}
}
