package steptest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

// A World is one step and all that it can change.
type World struct {
	New      func() (sluice.Step, error)             // makes the step anew, as after a restart
	Snapshot func() string                           // all that the step may change
	Arrive   func(p sluice.Progress) sluice.Progress // brings about what a waiting step waits for; nil if it never waits
	// Crash lets n more writes take effect, and none after them until restart is called. It is nil if the step writes
	// nothing.
	Crash func(n int) (restart func() (crashed bool))
	Keeps bool // the step's effect is outside the snapshot or cannot be undone
}

// maxCrashes bounds at how many places of a verb Run crashes it.
const maxCrashes = 100

// Run tests the step against everything that an engine and its crashes can do to it. fresh makes a new world.
func Run(t *testing.T, fresh func(t *testing.T) World) {
	t.Helper()
	for name, scenario := range map[string]func(*run){
		"check changes nothing":       (*run).check,
		"undo without start":          (*run).undoWithoutStart,
		"there and back and there":    (*run).thereAndBack,
		"everything twice":            (*run).everythingTwice,
		"undo twice":                  (*run).undoTwice,
		"cancelled changes nothing":   (*run).cancelled,
		"killed within start":         (*run).killedWithinStart,
		"killed within start, undone": (*run).killedThenUndone,
		"killed within undo":          (*run).killedWithinUndo,
	} {
		t.Run(name, func(t *testing.T) {
			scenario(&run{t: t, fresh: fresh, World: fresh(t)})
		})
	}
}

type run struct {
	World
	t     *testing.T
	fresh func(t *testing.T) World
}

// step makes the step anew, as after a restart.
func (r *run) step() sluice.Step {
	r.t.Helper()
	s, err := r.New()
	if err != nil {
		r.t.Fatalf("make the step: %v", err)
	}
	return s
}

// recorded returns a progress as it comes back from the log.
func (r *run) recorded(p sluice.Progress) sluice.Progress {
	r.t.Helper()
	raw, err := json.Marshal(p)
	if err != nil {
		r.t.Fatalf("the progress cannot be recorded: %v", err)
	}
	out := sluice.Progress{Signals: p.Signals}
	if err := json.Unmarshal(raw, &out); err != nil {
		r.t.Fatalf("the progress cannot be read back: %v", err)
	}
	return out
}

// checked calls Check and returns the progress for Start.
func (r *run) checked() sluice.Progress {
	r.t.Helper()
	preview, err := r.step().Check(r.t.Context())
	if err != nil {
		r.t.Fatalf("check: %v", err)
	}
	return r.recorded(sluice.Progress{Snapshot: preview.Snapshot, Changes: preview.Changes})
}

// started calls Start and keeps what the engine would keep.
func (r *run) started(p sluice.Progress) sluice.Progress {
	r.t.Helper()
	out, err := r.step().Start(r.t.Context(), p)
	if err != nil {
		r.t.Fatalf("start: %v", err)
	}
	return r.keep(p, out)
}

func (r *run) keep(was, is sluice.Progress) sluice.Progress {
	is.Snapshot, is.Signals = was.Snapshot, was.Signals
	if is.Data == nil {
		is.Data = was.Data
	}
	return r.recorded(is)
}

// toDone observes until the step is done, each time with the step made anew.
func (r *run) toDone(p sluice.Progress) sluice.Progress {
	r.t.Helper()
	for range 1000 {
		switch p.State {
		case sluice.Done:
			return p
		case sluice.Waiting:
			if p.Wait == nil || r.Arrive == nil {
				r.t.Fatalf("the step waits for nothing that the test can bring: %+v", p)
			}
			p = r.Arrive(p)
		}
		out, err := r.step().Observe(r.t.Context(), p)
		if err != nil {
			r.t.Fatalf("observe: %v", err)
		}
		p = r.keep(p, out)
	}
	r.t.Fatal("the step never gets done")
	return p
}

func (r *run) undo(p sluice.Progress) {
	r.t.Helper()
	if err := r.step().Undo(r.t.Context(), p); err != nil {
		r.t.Fatalf("undo: %v", err)
	}
}

// same fails the test unless the world is as it was.
func (r *run) same(was, when string) {
	r.t.Helper()
	if diff := cmp.Diff(was, r.Snapshot()); diff != "" {
		r.t.Fatalf("%s the world is not as it should be (-want +got):\n%s", when, diff)
	}
}

func (r *run) check() {
	was := r.Snapshot()
	r.checked()
	r.checked()
	r.same(was, "after check")
}

func (r *run) undoWithoutStart() {
	was := r.Snapshot()
	r.undo(sluice.Progress{})
	r.undo(r.checked())
	r.same(was, "after undo without start")
}

func (r *run) thereAndBack() {
	was := r.Snapshot()
	p := r.checked()
	p = r.toDone(r.started(p))
	if r.Snapshot() == was && !r.Keeps {
		r.t.Fatal("the step does nothing that the snapshot shows")
	}
	r.undo(p)
	if !r.Keeps {
		r.same(was, "after undo")
	}
	p = r.toDone(r.started(r.checked()))
	if err := r.step().Finish(r.t.Context(), p); err != nil {
		r.t.Fatalf("finish: %v", err)
	}
	if err := r.step().Finish(r.t.Context(), p); err != nil {
		r.t.Fatalf("finish again: %v", err)
	}
}

func (r *run) everythingTwice() {
	p := r.checked()
	r.started(p)
	once := r.Snapshot()
	p = r.started(p)
	r.same(once, "after starting twice")
	p = r.toDone(p)
	r.toDone(p)
}

func (r *run) undoTwice() {
	was := r.Snapshot()
	p := r.toDone(r.started(r.checked()))
	r.undo(p)
	once := r.Snapshot()
	r.undo(p)
	r.same(once, "after undoing twice")
	if !r.Keeps {
		r.same(was, "after undoing twice")
	}
}

func (r *run) cancelled() {
	ctx, cancel := context.WithCancel(r.t.Context())
	cancel()
	was, p := r.Snapshot(), r.checked()
	expectStopped(r.t, "start", func() error { _, err := r.step().Start(ctx, p); return err })
	r.same(was, "after a cancelled start")
	expectStopped(r.t, "undo", func() error { return r.step().Undo(ctx, p) })
	p = r.toDone(r.started(p))
	was = r.Snapshot()
	expectStopped(r.t, "undo", func() error { return r.step().Undo(ctx, p) })
	expectStopped(r.t, "finish", func() error { return r.step().Finish(ctx, p) })
	r.same(was, "after a cancelled undo and finish")
}

// expectStopped accepts the success of a verb that had nothing to do, but no other error than the cancellation.
func expectStopped(t *testing.T, verb string, f func() error) {
	t.Helper()
	if err := f(); err != nil && !errors.Is(err, context.Canceled) && sluice.ErrorCode(err) != sluice.Cancelled {
		t.Fatalf("%s with a cancelled context says %v", verb, err)
	}
}

// killedWithinStart crashes Start after each of its writes, starts again, and expects the same result each time.
func (r *run) killedWithinStart() {
	r.toDone(r.started(r.checked()))
	want := r.Snapshot()
	r.eachCrash(func(k *run, n int) bool {
		p := k.checked()
		crashed := k.crash(n, func() error { _, err := k.step().Start(k.t.Context(), p); return err })
		k.toDone(k.started(p))
		k.same(want, fmt.Sprintf("after a crash at write %d of start and starting again", n))
		return crashed
	})
}

func (r *run) killedThenUndone() {
	r.eachCrash(func(k *run, n int) bool {
		was, p := k.Snapshot(), k.checked()
		crashed := k.crash(n, func() error { _, err := k.step().Start(k.t.Context(), p); return err })
		k.undo(p)
		if !k.Keeps {
			k.same(was, fmt.Sprintf("after a crash at write %d of start and undo", n))
		}
		return crashed
	})
}

func (r *run) killedWithinUndo() {
	r.eachCrash(func(k *run, n int) bool {
		was := k.Snapshot()
		p := k.toDone(k.started(k.checked()))
		crashed := k.crash(n, func() error { return k.step().Undo(k.t.Context(), p) })
		k.undo(p)
		if !k.Keeps {
			k.same(was, fmt.Sprintf("after a crash at write %d of undo and undoing again", n))
		}
		return crashed
	})
}

// eachCrash calls f with fresh worlds and n from 1, until a verb gets through without crashing.
func (r *run) eachCrash(f func(k *run, n int) (crashed bool)) {
	if r.Crash == nil {
		r.t.Skip("the step writes nothing")
	}
	for n := 1; n <= maxCrashes; n++ {
		if !f(&run{t: r.t, fresh: r.fresh, World: r.fresh(r.t)}, n) {
			return
		}
	}
	r.t.Fatalf("the verb writes more than %d times", maxCrashes)
}

// crash lets the verb run until its nth write, and reports whether it made so many.
func (r *run) crash(n int, verb func() error) bool {
	r.t.Helper()
	restart := r.Crash(n)
	err := verb()
	crashed := restart()
	if err == nil && crashed {
		r.t.Fatalf("the verb succeeded although the account was gone after write %d", n)
	}
	return crashed
}
