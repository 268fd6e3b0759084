package notify_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

// A receiver that is new gets what happens from then on, and no history.
func TestANewReceiverGetsNoHistory(t *testing.T) {
	w, to := newWorld(t), newReceiver(t)
	w.whole(1, 3)
	r := w.reader(hookTo("hook", to.URL))
	if c, err := r.Begin(t.Context()); c != 6 || err != nil {
		t.Fatalf("it begins after %d, %v", c, err)
	}
	want := w.whole(4, 5)
	w.run(r)
	if diff := cmp.Diff(want, ids(t, to.wait(t, len(want)))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What happens while no process reads is sent by the next one, once.
func TestAReaderGoesOnWhereItStopped(t *testing.T) {
	w, to := newWorld(t), newReceiver(t)
	w.known("hook")
	want := w.whole(1, 2)
	stop := w.run(w.reader(hookTo("hook", to.URL)))
	to.wait(t, 4)
	stop()
	want = append(want, w.whole(3, 4)...)
	stop = w.run(w.reader(hookTo("hook", to.URL)))
	to.wait(t, 8)
	stop()
	if diff := cmp.Diff(want, ids(t, to.taken)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	w.tally.want(t, 8, 0, 0)
}

// A receiver that is away gets everything in order afterwards, and another one does not wait for it.
func TestAReceiverThatIsAwayGetsEverythingInOrder(t *testing.T) {
	w, away, well := newWorld(t), newReceiver(t), newReceiver(t)
	away.answer = func(n int) int {
		if n <= 40 {
			return []int{503, 429, 408, 425, 500}[n%5]
		}
		return 200
	}
	w.known("away")
	w.known("well")
	w.run(w.reader(hookTo("away", away.URL)))
	w.run(w.reader(hookTo("well", well.URL)))
	want := w.whole(1, 3)
	for _, to := range []*receiver{well, away} {
		if diff := cmp.Diff(want, ids(t, to.wait(t, len(want)))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	w.tally.want(t, 12, 40, 0)
	longest := slices.Max(w.waits)
	if longest < 5*time.Minute || longest > 6*time.Minute {
		t.Errorf("the longest wait is %s", longest)
	}
}

func TestAReaderWaitsAsTheReceiverAsks(t *testing.T) {
	w, to := newWorld(t), newReceiver(t)
	to.after = "700"
	to.answer = func(n int) int { return map[bool]int{true: 503, false: 200}[n == 1] }
	w.known("hook")
	w.run(w.reader(hookTo("hook", to.URL)))
	w.whole(1, 1)
	to.wait(t, 2)
	if d := w.waits[0]; d < 700*time.Second || d > 840*time.Second {
		t.Errorf("it waited %s", d)
	}
}

// A notification that is refused is tried three times; then it is skipped, and while the receiver refuses everything
// each of the others is tried once.
func TestARefusedNotificationDoesNotBlock(t *testing.T) {
	w, to := newWorld(t), newReceiver(t)
	to.answer = func(n int) int {
		if n <= 5 {
			return http.StatusForbidden
		}
		return 200
	}
	w.known("hook")
	w.run(w.reader(hookTo("hook", to.URL)))
	want := w.whole(1, 3)
	if diff := cmp.Diff(want[3:], ids(t, to.wait(t, 3))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	w.tally.want(t, 3, 5, 3)
}

// A redirect to another host is a refusal: it would take the event there.
func TestAReaderFollowsNoRedirectElsewhere(t *testing.T) {
	w, other := newWorld(t), newReceiver(t)
	elsewhere := strings.Replace(other.URL, "127.0.0.1", "localhost", 1)
	to := newReceiver(t)
	to.Config.Handler = http.RedirectHandler(elsewhere, http.StatusTemporaryRedirect)
	w.known("hook")
	w.append("d1", started("shop"))
	stop := w.run(w.reader(hookTo("hook", to.URL)))
	w.tally.want(t, 0, 3, 1)
	stop()
	if other.calls > 0 {
		t.Error("the event went elsewhere")
	}
}

// Of two processes one sends. When it loses its lease, the other goes on; nothing is lost, and nothing is repeated,
// because nothing was under way.
func TestOneProcessSendsToAReceiver(t *testing.T) {
	w, to := newWorld(t), newReceiver(t)
	w.known("hook")
	w.run(w.reader(hookTo("hook", to.URL)))
	w.run(w.reader(hookTo("hook", to.URL)))
	var want []string
	for i := range 10 {
		want = append(want, w.whole(2*i+1, 2*i+2)...)
		to.wait(t, len(want))
		w.putUpTo(sluice.Cursor(len(want)))
		w.Lose(sluice.ReaderLease("notifications/hook"))
	}
	if diff := cmp.Diff(want, ids(t, to.wait(t, len(want)))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A secret that is missing delays, and nothing is lost.
func TestAReceiverWithoutItsSecretLosesNothing(t *testing.T) {
	w, to := newWorld(t), newReceiver(t)
	w.known("hook")
	hook := hookTo("hook", to.URL)
	hook.Webhook.Secret.Env = "ABSENT"
	r := w.reader(hook)
	if err := r.Sender.Check(); sluice.ErrorCode(err) != sluice.NotFound {
		t.Errorf("the check says %v", err)
	}
	stop := w.run(r)
	want := w.whole(1, 1)
	w.tally.until(t, func() bool { return w.tally.failed >= 30 })
	stop()
	w.run(w.reader(hookTo("hook", to.URL)))
	if diff := cmp.Diff(want, ids(t, to.wait(t, 2))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
