package proxy

import (
	"context"
	"time"
)

const (
	// hold is how long a request or connection waits for a ready pod.
	hold = 10 * time.Second
	// patience is how long it waits for one that accepts it. Most callers give up before.
	patience = time.Minute
)

// The pauses after every endpoint has refused a connection: a program may be ready for its pod before it listens.
const (
	firstPause = 20 * time.Millisecond
	lastPause  = time.Second
)

// A search looks for an endpoint that accepts a connection.
type search struct {
	balancer *Balancer
	refused  map[string]bool // pods, since the last pause
	pause    time.Duration
}

func (b *Balancer) search() *search {
	return &search{balancer: b, refused: map[string]bool{}, pause: firstPause}
}

// next returns an endpoint to try: each once, then all of them again after a pause. It returns an error if there is
// none for ten seconds, or when ctx ends. The caller MUST call release when the request is over.
func (s *search) next(ctx context.Context) (e Endpoint, release func(), err error) {
	for {
		wait := hold
		if len(s.refused) > 0 {
			wait = s.pause
		}
		round, cancel := context.WithTimeout(ctx, wait)
		e, release, err = s.balancer.Acquire(round, s.refused)
		cancel()
		if err == nil || len(s.refused) == 0 || ctx.Err() != nil {
			return e, release, err
		}
		clear(s.refused)
		s.pause = min(2*s.pause, lastPause)
	}
}

// refuse notes that the endpoint refused a connection.
func (s *search) refuse(e Endpoint) { s.refused[e.Pod] = true }
