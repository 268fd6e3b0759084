package notify

import (
	"errors"
	"math/rand/v2"
	"time"
)

// How long a reader waits until it tries again. Shorter waits grow by a factor of two; each is up to a fifth longer, so
// that many receivers of one server that was away do not come back at once.
const (
	firstWait   = time.Second
	longestWait = 5 * time.Minute
	longestAsk  = time.Hour // of those that a receiver asks for
)

// refusedWaits are the waits between the attempts at a notification that the receiver refuses.
var refusedWaits = []time.Duration{30 * time.Second, 5 * time.Minute}

// A trouble is why a receiver did not take a notification.
type trouble struct {
	error
	refused bool          // it answered that it does not take it
	after   time.Duration // for which it asked; 0: it did not
}

// Unwrap returns the cause.
func (t *trouble) Unwrap() error { return t.error }

// An attempts counts what one notification met with.
type attempts struct{ away, refused int }

// next counts an error, and returns how long to wait until the next attempt. It returns false if there is none: the
// receiver refused the notification several times, or before this one another one.
func (a *attempts) next(err error, refusing bool) (time.Duration, bool) {
	t, _ := errors.AsType[*trouble](err)
	if t == nil || !t.refused {
		wait := min(firstWait<<min(a.away, 20), longestWait)
		if t != nil {
			wait = max(wait, min(t.after, longestAsk))
		}
		a.away++
		return wait, true
	}
	if refusing || a.refused == len(refusedWaits) {
		return 0, false
	}
	a.refused++
	return refusedWaits[a.refused-1], true
}

// jittered returns the wait, or up to a fifth more.
func jittered(d time.Duration) time.Duration { return d + rand.N(d/5+1) }
