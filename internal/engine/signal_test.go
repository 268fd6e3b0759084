package engine_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/storetest"
)

func TestASignalWaitsForADeploymentThatNobodyRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, store := &world{}, storetest.NewMemory()
		e := newEngine(t, store, w)
		id, err := e.Submit(t.Context(), shop(), sluice.Actor{Name: "ada"})
		if err != nil {
			t.Fatal(err)
		}
		cancel := sluice.Signal{Kind: sluice.SignalCancel}
		if answered, err := engine.Tell(t.Context(), store, id, cancel); answered || err != nil {
			t.Errorf("the signal was answered: %v, %v", answered, err)
		}
		if err := e.Signal(t.Context(), id, cancel); sluice.ErrorCode(err) != sluice.Conflict {
			t.Errorf("said twice: %v", err)
		}
		if err := e.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		if status, err := e.Wait(t.Context(), id); status != sluice.StatusCancelled || err != nil {
			t.Errorf("status %s, %v", status, err)
		}
		if len(w.calls) > 0 {
			t.Errorf("before the signal was heard it did %q", w.calls)
		}
		if err := e.Signal(t.Context(), id, cancel); sluice.ErrorCode(err) != sluice.Conflict || sluice.ErrorHint(err) == "" {
			t.Errorf("after the end: %v", err)
		}
	})
}

// A lateStore gets a signal in the moment in which the deployment ends.
type lateStore struct {
	*storetest.Memory
	letter sluice.LetterID
}

func (s *lateStore) Append(
	ctx context.Context, id sluice.DeploymentID, after sluice.Seq, events ...sluice.Event,
) (err error) {
	if events[len(events)-1].Kind == sluice.DeploymentEnded {
		if s.letter, err = s.Send(ctx, id, sluice.Signal{Kind: sluice.SignalCancel}); err != nil {
			return err
		}
	}
	return s.Memory.Append(ctx, id, after, events...)
}

func TestASignalThatComesTooLateIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &lateStore{Memory: storetest.NewMemory()}
		e := newEngine(t, store, &world{})
		id, err := e.Start(t.Context(), shop(), sluice.Actor{Name: "ada"})
		if err != nil {
			t.Fatal(err)
		}
		if status, err := e.Wait(t.Context(), id); status != sluice.StatusSucceeded || err != nil {
			t.Errorf("status %s, %v", status, err)
		}
		answer, err := store.Answer(t.Context(), store.letter)
		if err != nil || answer.Refusal == nil || answer.Refusal.Code != sluice.Conflict || answer.Refusal.Hint == "" {
			t.Errorf("the sender is told %+v, %v", answer, err)
		}
	})
}
