package enginetest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/sqlite"
	"github.com/sluice-cd/sluice/internal/storetest"
)

// stop stops an engine and fails the test if that fails.
func stop(t *testing.T, e *engine.Engine) {
	t.Helper()
	if err := e.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

// wantEnd fails the test unless the engine itself carries the deployment out to the outcome.
func wantEnd(t *testing.T, e *engine.Engine, id sluice.DeploymentID, want sluice.Status) {
	t.Helper()
	if outcome, err := e.Wait(t.Context(), id); err != nil || outcome != want {
		t.Errorf("deployment %s: %q, %v; want %s", id, outcome, err, want)
	}
}

// The deployment runs at the first engine; everybody outside uses the second one only.
func TestASecondEngineReachesWhatTheFirstRuns(t *testing.T) {
	for name, s := range scenarios {
		t.Run(name, func(t *testing.T) {
			want := run(t, s, immortal)
			synctest.Test(t, func(t *testing.T) {
				store, w := storetest.NewMemory(), newWorld()
				l := &life{world: w, store: store, died: make(chan struct{})}
				first := newEngine(store, steps{world: l, log: store, behaviours: s.behaviours})
				second := newEngine(store, steps{world: idleWorld{t}, log: store, behaviours: s.behaviours})
				defer stop(t, first)
				defer stop(t, second)
				id, err := first.Start(t.Context(), plan(s.afterwards), sluice.Actor{Name: "ana"})
				if err != nil {
					t.Fatal(err)
				}
				if err := second.Resume(t.Context()); err != nil {
					t.Fatal(err)
				}
				s.speak(t.Context(), second, store, id) // returns when the second engine has seen the end
				if _, err := first.Wait(t.Context(), id); err != nil {
					t.Fatal(err)
				}
				if err := s.goOn(t.Context(), l, first, id); err != nil {
					t.Fatal(err)
				}
				wantEnd(t, first, id, s.outcome)
				newEnding(t, store, id, w, 1).compare(t, want, "with a second engine")
			})
		})
	}
}

// An idleWorld is the world of an engine that must not do anything.
type idleWorld struct{ t *testing.T }

func (w idleWorld) Set(name, _ string) error {
	w.t.Errorf("an engine without the lease made the effect %s", name)
	return nil
}

func (w idleWorld) Get(string) (string, error) { return "", nil }

func (w idleWorld) Complain(what string) error {
	w.t.Error(what)
	return nil
}

func TestALostLeaseGoesToAnotherEngine(t *testing.T) {
	s := scenarios["everything works"]
	want := run(t, s, immortal)
	synctest.Test(t, func(t *testing.T) {
		store, w := storetest.NewMemory(), newWorld()
		l := &life{world: w, store: store, died: make(chan struct{})}
		first := newEngine(store, steps{world: l, log: store, behaviours: s.behaviours})
		second := newEngine(store, steps{world: l, log: store, behaviours: s.behaviours})
		defer stop(t, first)
		defer stop(t, second)
		id, err := first.Start(t.Context(), plan(s.afterwards), sluice.Actor{Name: "ana"})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // until a step waits for somebody
		store.Lose(id)
		if _, err := first.Wait(t.Context(), id); sluice.ErrorCode(err) != sluice.Conflict {
			t.Errorf("the first engine let go with %v", err)
		}
		if err := second.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		go s.speak(t.Context(), first, store, id)
		wantEnd(t, second, id, s.outcome)
		newEnding(t, store, id, w, 1).compare(t, want, "after a lost lease")
	})
}

func TestManyEnginesShareDeployments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const deployments = 20
		store, w := storetest.NewMemory(), newWorld()
		l := &life{world: w, store: store, died: make(chan struct{})}
		engines := make([]*engine.Engine, 3)
		for i := range engines {
			engines[i] = newEngine(store, named{world: l, log: store})
			defer stop(t, engines[i])
		}
		for i := range deployments {
			p := plan("keep")
			p.Application = fmt.Sprint("application-", i)
			if _, err := engines[i%3].Submit(t.Context(), p, sluice.Actor{Name: "ana"}); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 {
			for _, e := range engines {
				go func() {
					if err := e.Resume(t.Context()); err != nil {
						t.Error(err)
					}
				}()
			}
		}
		synctest.Wait() // no step waits for anything
		if unended, err := store.Unended(t.Context()); err != nil || len(unended) > 0 {
			t.Errorf("%d deployments have not ended, %v", len(unended), err)
		}
		if repeated := w.repeated(); len(repeated) > 0 {
			t.Errorf("effects were repeated: %q", repeated)
		}
	})
}

// named makes steps that do their work under a name of their deployment, at once if they have no behaviour.
type named steps

func (n named) New(sc sluice.StepContext) (sluice.Step, error) {
	made, err := steps(n).New(sc)
	s := made.(*step)
	s.name = string(sc.Deployment) + " " + s.name
	return s, err
}

// Two engines in two processes share a store. The one that runs the deployment is killed in the middle, and the other
// one, which has followed it and carried every signal to it, goes on.
func TestTwoProcesses(t *testing.T) {
	const name = "everything works"
	s := scenarios[name]
	if dir := os.Getenv(processDir); dir != "" {
		beKilled(t, dir, scenario{behaviours: s.behaviours, afterwards: s.afterwards, silent: true})
		return
	}
	if testing.Short() {
		t.Skip("starts a process")
	}
	want := run(t, s, immortal)
	dir, err := os.MkdirTemp("", "world") // short, for the socket's name
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	w := newWorld()
	door := openDoor(t, w, filepath.Join(dir, "socket"))
	defer door.listener.Close()
	store, err := sqlite.Open(t.Context(), filepath.Join(dir, "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	gone := &atomic.Bool{}
	here := newEngine(store, steps{world: lateWorld{w, gone}, log: store, behaviours: s.behaviours})
	defer stop(t, here)

	other := spawn(t, door)
	left := <-door.entered
	id := firstDeployment(t, store)
	go s.speak(t.Context(), here, store, id)
	for u, err := range here.Watch(t.Context(), id, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if err := here.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		if u.Event != nil && u.Event.Kind == sluice.StepStarting && u.Event.Step == "production/canary/0" {
			break
		}
	}
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = other.Wait() // it says that the process was killed
	<-left
	gone.Store(true)
	if err := here.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	go s.speak(t.Context(), here, store, id) // the first speaker may have seen that nobody ran the deployment, and gone
	wantEnd(t, here, id, s.outcome)
	newEnding(t, store, id, w, 2).compare(t, want, "after the other process was killed")
}

// firstDeployment waits for the first deployment in the store.
func firstDeployment(t *testing.T, store sluice.Tail) sluice.DeploymentID {
	t.Helper()
	for e, err := range store.Tail(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		return e.Deployment
	}
	t.Fatal("there is no deployment")
	return ""
}

// A lateWorld complains about effects that are made while the other process lives.
type lateWorld struct {
	*memoryWorld
	gone *atomic.Bool
}

func (w lateWorld) Set(name, value string) error {
	if !w.gone.Load() {
		return w.Complain("two engines at once made the effect " + name)
	}
	w.change(name, value)
	return nil
}
