package postgres

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// A topic is something in the store that changes: the events, the letters, or the answer to the letter with that
// number.
type topic int64

const (
	events  topic = -1
	letters topic = -2
	all     topic = -3 // too many to name
)

// channel is what servers notify each other on. A notification comes with the commit of its transaction.
const channel = "sluice"

const (
	listening = 3 * time.Second        // how long nothing may be heard before the connection is tried
	answering = 5 * time.Second        // how long a server may take to answer that
	pause     = 200 * time.Millisecond // between attempts to connect
)

// A listener wakes those who wait for a change, in this process and by notifications of others. It listens on a
// connection of its own. What was notified while that was broken is unknown, so a new connection wakes everybody.
type listener struct {
	store *Store
	begin sync.Once
	stop  context.CancelFunc
	ctx   context.Context
	done  sync.WaitGroup

	mu     sync.Mutex
	topics map[topic]chan struct{} // closed at the next change
}

func newListener(s *Store) *listener {
	l := &listener{store: s, topics: map[topic]chan struct{}{}}
	l.ctx, l.stop = context.WithCancel(context.Background())
	return l
}

// changed returns a channel that is closed when the topic changes next.
func (l *listener) changed(t topic) <-chan struct{} {
	l.begin.Do(func() { l.done.Go(l.run) })
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.topics[t] == nil {
		l.topics[t] = make(chan struct{})
	}
	return l.topics[t]
}

func (l *listener) wake(topics ...topic) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if slices.Contains(topics, all) {
		topics = slices.Collect(maps.Keys(l.topics))
	}
	for _, t := range topics {
		if c := l.topics[t]; c != nil {
			close(c)
			delete(l.topics, t)
		}
	}
}

func (l *listener) wakeAll() { l.wake(all) }

func (l *listener) close() {
	l.stop()
	l.begin.Do(func() {}) // nothing listens from now on
	l.done.Wait()
}

// run listens until the store closes.
func (l *listener) run() {
	for l.ctx.Err() == nil {
		l.listen()
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-l.ctx.Done():
		}
		t.Stop()
	}
}

// listen listens until the connection breaks.
func (l *listener) listen() {
	ctx, cancel := context.WithTimeout(l.ctx, writing)
	defer cancel()
	c, err := l.store.dedicated(ctx)
	if err != nil {
		return
	}
	defer hangUp(c)
	if _, err := c.Exec(ctx, "SET application_name = 'sluice listener'; LISTEN "+channel); err != nil {
		return
	}
	l.wakeAll()
	for hear(l.ctx, c, l.wake) {
	}
	l.store.pool.Reset() // what broke this connection may have broken those of the pool
}

// hear waits for a notification, or tries the connection when there was none for a while; false: it is broken.
func hear(ctx context.Context, c *pgx.Conn, wake func(...topic)) bool {
	short, cancel := context.WithTimeout(ctx, listening)
	defer cancel()
	n, err := c.WaitForNotification(short)
	if err == nil {
		wake(decode(n.Payload)...)
		return true
	}
	if ctx.Err() != nil || short.Err() == nil {
		return false
	}
	ctx, stop := context.WithTimeout(ctx, answering)
	defer stop()
	return c.Ping(ctx) == nil
}

// longest is how many bytes a notification may have.
const longest = 7999

// encode writes topics as the payload of a notification.
func encode(topics []topic) string {
	slices.Sort(topics)
	var b strings.Builder
	for _, t := range slices.Compact(topics) {
		b.WriteString(strconv.FormatInt(int64(t), 10) + " ")
	}
	if b.Len() > longest {
		return strconv.Itoa(int(all))
	}
	return b.String()
}

// decode reads a payload. One that is not ours, such as that of a newer version, wakes everybody.
func decode(payload string) (topics []topic) {
	for _, word := range strings.Fields(payload) {
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return []topic{all}
		}
		topics = append(topics, topic(n))
	}
	return topics
}

// follow looks at the store now and after every change of the topic, until look says that it has seen enough or ctx
// ends.
func (s *Store) follow(ctx context.Context, t topic, look func() (enough bool, err error)) error {
	for {
		changed := s.news.changed(t)
		enough, err := look()
		if ctx.Err() != nil || enough {
			return nil
		}
		if err != nil {
			return s.storeError(ctx, err, "read")
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}
