package enginetest

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/storetest"
)

// unattended are behaviours of steps that take time and wait for nobody.
var unattended = behaviours(map[sluice.StepID]behaviour{
	"staging/before/2": {}, "staging/after/1": {rounds: 1}, "production/canary/1": {pause: pause},
})

// release is the plan of the nth release; all but the first one wait for their turn.
func release(n int) *sluice.Plan {
	p := plan("keep")
	p.Description, p.Enqueue = fmt.Sprint("release ", n), n > 1
	return p
}

// submit starts or queues the nth release.
func submit(t *testing.T, e *engine.Engine, n int) sluice.DeploymentID {
	t.Helper()
	id, err := e.Start(t.Context(), release(n), sluice.Actor{Name: "ana"})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// releases is how many releases are submitted, one after the other, while the first one runs.
const releases = 4

func TestOnlyTheNewestOfTheQueueRunsAfterAKillAtEveryAppend(t *testing.T) {
	killQueue(t, func(n int) mortality { return once(n, 0) })
}

func TestOnlyTheNewestOfTheQueueRunsAfterAKillAtEveryEffect(t *testing.T) {
	killQueue(t, func(n int) mortality { return once(0, n) })
}

func TestOnlyTheNewestOfTheQueueRunsAfterAKillAgainAndAgain(t *testing.T) {
	for _, each := range []struct{ appends, effects int }{{2, 0}, {0, 1}} {
		runQueue(t, func(int) (int, int) { return each.appends, each.effects })
	}
}

// killQueue kills the engine at the first, second, ... moment, until one comes too late.
func killQueue(t *testing.T, at func(n int) mortality) {
	for n := 1; !t.Failed(); n++ {
		if lives := runQueue(t, at(n)); lives == 1 {
			if n < 20 {
				t.Errorf("there were only %d moments to kill at", n-1)
			}
			return
		}
	}
}

// runQueue submits the releases until each was recorded, with a new engine after each kill, and checks what ran.
func runQueue(t *testing.T, dies mortality) (lives int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		store, w := storetest.NewMemory(), newWorld()
		submitted := 0
		for alive := false; !alive; lives++ {
			if lives > 500 {
				t.Fatal("the queue does not end")
			}
			l := &life{world: w, store: store, died: make(chan struct{})}
			l.appends, l.effects = dies(lives)
			alive = liveQueue(t, l, &submitted)
		}
		checkQueue(t, store)
		if repeated := w.repeated(); len(repeated) > 0 {
			t.Errorf("effects were repeated: %q", repeated)
		}
	})
	return lives
}

// liveQueue resumes what there is, submits what is left, and reports whether all ended before the life did. A sender
// without an answer submits again.
func liveQueue(t *testing.T, l *life, submitted *int) bool {
	store := mortalStore{l.store, l}
	e := newEngine(store, named{world: l, log: store, behaviours: unattended})
	go func() {
		<-l.died
		stop(t, e)
	}()
	err := e.Resume(t.Context())
	for *submitted < releases && err == nil {
		if _, err = e.Start(t.Context(), release(*submitted+1), sluice.Actor{Name: "ana"}); err == nil {
			*submitted++
		} else if sluice.ErrorCode(err) == sluice.Conflict { // the first one was recorded, and its sender killed
			*submitted, err = 1, nil
		}
	}
	list, _ := l.store.Deployments(t.Context(), "")
	for _, d := range list {
		_, _ = e.Wait(t.Context(), d.ID) // killed, or ended
	}
	dead := l.isDead()
	if !dead {
		close(l.died)
	}
	stop(t, e)
	synctest.Wait()
	return !dead
}

// checkQueue reads in the feed that never two deployments ran at once, that each that started was the newest one
// submitted so far, and that the others did nothing.
func checkQueue(t *testing.T, store *storetest.Memory) {
	t.Helper()
	var running, newest sluice.DeploymentID
	for _, e := range feed(t, store) {
		switch e.Event.Kind {
		case sluice.DeploymentQueued:
			newest = e.Deployment
		case sluice.DeploymentStarted:
			if running != "" || newest != "" && e.Deployment != newest {
				t.Errorf("%s started while %q ran and %s was the newest", e.Deployment, running, newest)
			}
			running = e.Deployment
		case sluice.DeploymentEnded:
			want := sluice.StatusSucceeded
			if e.Deployment != running {
				want = sluice.StatusOvertaken
			} else {
				running = ""
			}
			if e.Event.Outcome != want {
				t.Errorf("%s ended: %s, want %s", e.Deployment, e.Event.Outcome, want)
			}
		default:
			if e.Deployment != running {
				t.Errorf("%s has the event %s, and %q runs", e.Deployment, e.Event.Kind, running)
			}
		}
	}
	list, err := store.Deployments(context.Background(), "")
	if err != nil || list[0].ID != newest || list[0].Outcome != sluice.StatusSucceeded {
		t.Errorf("in the end there is %v, %v; want the newest, %s", list, err, newest)
	}
}

// feed returns all events so far.
func feed(t *testing.T, store sluice.Tail) (entries []sluice.Entry) {
	t.Helper()
	newest, err := store.Newest(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range store.Tail(context.Background(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if entries = append(entries, e); e.Cursor == newest {
			break
		}
	}
	return entries
}

// A trio is a store with two engines: the first one runs the first release, and at the second one two more are
// queued.
type trio struct {
	store         *storetest.Memory
	first, second *engine.Engine
	ids           [3]sluice.DeploymentID
}

func queueOfThree(t *testing.T, test func(*testing.T, trio)) {
	synctest.Test(t, func(t *testing.T) {
		store, w := storetest.NewMemory(), newWorld()
		l := &life{world: w, store: store, died: make(chan struct{})}
		makes := named{world: l, log: store, behaviours: unattended}
		first, second := newEngine(store, makes), newEngine(store, makes)
		defer stop(t, first)
		defer stop(t, second)
		ids := [3]sluice.DeploymentID{submit(t, first, 1), submit(t, second, 2), submit(t, second, 3)}
		test(t, trio{store, first, second, ids})
	})
}

func TestTheQueueFollowsAnotherEngine(t *testing.T) {
	queueOfThree(t, func(t *testing.T, q trio) {
		wantEnd(t, q.second, q.ids[1], sluice.StatusOvertaken)
		wantEnd(t, q.first, q.ids[0], sluice.StatusSucceeded)
		wantEnd(t, q.second, q.ids[2], sluice.StatusSucceeded)
		state, err := engine.Fold(q.ids[1], q.store.Read(t.Context(), q.ids[1], 0))
		if err != nil || state.Overtaker != q.ids[2] || state.Target("staging") != sluice.StatusSkipped {
			t.Errorf("overtaken by %q, staging %s, %v", state.Overtaker, state.Target("staging"), err)
		}
		var ended, started sluice.Event
		for _, e := range feed(t, q.store) {
			if e.Deployment == q.ids[0] {
				ended = e.Event
			}
			if e.Deployment == q.ids[2] && e.Event.Kind == sluice.DeploymentStarted {
				started = e.Event
			}
		}
		if late := started.At.Sub(ended.At); late != 0 {
			t.Errorf("the newest started %v after the end of the first one: nobody told it", late)
		}
		checkQueue(t, q.store)
	})
}

func TestTheQueueResumesWhatAKilledEngineLeft(t *testing.T) {
	queueOfThree(t, func(t *testing.T, q trio) {
		stop(t, q.first) // its leases end, as when its process is killed
		wantEnd(t, q.second, q.ids[2], sluice.StatusSucceeded)
		wantEnd(t, q.second, q.ids[0], sluice.StatusSucceeded)
		checkQueue(t, q.store)
	})
}

func TestAQueuedDeploymentIsCancelled(t *testing.T) {
	queueOfThree(t, func(t *testing.T, q trio) {
		if err := q.second.Signal(t.Context(), q.ids[2], sluice.Signal{Kind: sluice.SignalCancel}); err != nil {
			t.Error(err)
		}
		wantEnd(t, q.second, q.ids[2], sluice.StatusCancelled)
		if err := q.second.Signal(t.Context(), q.ids[1], sluice.Signal{Kind: sluice.SignalCancel}); sluice.ErrorCode(err) !=
			sluice.Conflict {
			t.Errorf("the overtaken one was cancelled: %v", err)
		}
		wantEnd(t, q.first, q.ids[0], sluice.StatusSucceeded)
		wantEnd(t, q.second, submit(t, q.second, 4), sluice.StatusSucceeded)
	})
}

// What an engine begins just before it stops is interrupted, and a webhook that it called is called again.
func TestAnEngineThatIsAboutToStopLeavesTheQueueToTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, w := storetest.NewMemory(), newWorld()
		l := &life{world: w, store: store, died: make(chan struct{})}
		makes := named{world: l, log: store, behaviours: unattended}
		first := newEngine(store, makes)
		a := submit(t, first, 1)
		first.StopAfter(a)
		b := submit(t, first, 2)
		wantEnd(t, first, a, sluice.StatusSucceeded)
		synctest.Wait()
		list, err := store.Deployments(t.Context(), "")
		if err != nil || list[0].ID != b || list[0].Outcome != sluice.StatusQueued {
			t.Errorf("there is %v, %v; want the second release queued", list, err)
		}
		stop(t, first)
		second := newEngine(store, makes)
		defer stop(t, second)
		if err := second.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		second.StopAfter(b)
		wantEnd(t, second, b, sluice.StatusSucceeded)
		if diff := cmp.Diff([]string(nil), w.repeated()); diff != "" {
			t.Errorf("effects were repeated (-want +got):\n%s", diff)
		}
	})
}
