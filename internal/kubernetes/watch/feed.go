package watch

import (
	"context"
	"strconv"
	"time"

	"github.com/sluice-cd/sluice"
)

// A feed is the watch of a listing. It ends when nobody has listed for a while and nobody follows.
type feed[T any] struct {
	followers map[store[T]]bool
	idle      *time.Timer
	end       context.CancelFunc
	ended     chan struct{}
	err       error // why it ended; set before ended is closed
}

// start watches. Its caller holds the lock.
func (l *listing[T]) start() {
	ctx, cancel := context.WithCancel(context.Background())
	f := &feed[T]{followers: map[store[T]]bool{}, end: cancel, ended: make(chan struct{})}
	f.idle = time.AfterFunc(linger, func() { l.endIdle(f) })
	l.feed = f
	ask := l.reflector
	ask.store = l
	ask.position.pend()
	go func() {
		f.err = ask.run(ctx)
		cancel()
		close(f.ended)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.detach(f)
		if sluice.ErrorCode(f.err) == sluice.Denied {
			l.denied = time.Now()
		}
	}()
}

// endIdle ends the feed if nobody follows it, before anybody else can.
func (l *listing[T]) endIdle(f *feed[T]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(f.followers) > 0 {
		f.idle.Reset(linger)
		return
	}
	l.detach(f)
	f.end()
}

// detach forgets the feed and what it told. Its caller holds the lock.
func (l *listing[T]) detach(f *feed[T]) {
	f.idle.Stop()
	if l.feed != f {
		return
	}
	l.feed, l.calls = nil, 0
	l.forget()
	l.position().lose()
}

// follow passes on to the store what the watch tells, until ctx ends or the watch does. It returns why.
func (l *listing[T]) follow(ctx context.Context, s store[T]) error {
	l.mu.Lock()
	if l.feed == nil {
		l.start()
	}
	f := l.feed
	f.followers[s] = true
	if l.position().isListed() {
		l.fill(s)
	}
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(f.followers, s)
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-f.ended:
		return f.err
	}
}

// followers returns those of the watch. Its caller holds the lock.
func (l *listing[T]) followers() map[store[T]]bool {
	if l.feed == nil {
		return nil
	}
	return l.feed.followers
}

// fill passes on everything. Its caller holds the lock.
func (l *listing[T]) fill(s store[T]) {
	items := make([]T, 0, len(l.items))
	for _, item := range l.items {
		items = append(items, *item)
	}
	s.replace(items, strconv.FormatUint(l.known, 10))
}

func (l *listing[T]) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.feed != nil {
		l.feed.end()
	}
}
