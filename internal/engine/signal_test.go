package engine_test

import (
	"context"
	"crypto/rand"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

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

// An endingStore ends the deployment right after it took a letter, as a process does that is killed in that moment.
type endingStore struct{ *storetest.Memory }

func (s endingStore) Send(ctx context.Context, id sluice.DeploymentID, sig sluice.Signal) (sluice.LetterID, error) {
	letter, err := s.Memory.Send(ctx, id, sig)
	if err != nil {
		return letter, err
	}
	return letter, s.Append(ctx, id, 1, sluice.Event{Kind: sluice.DeploymentEnded, Outcome: sluice.StatusSucceeded})
}

func TestASignalThatNobodyIsLeftToRefuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := endingStore{storetest.NewMemory()}
		id, err := newEngine(t, store, &world{}).Submit(t.Context(), shop(), sluice.Actor{Name: "ada"})
		if err != nil {
			t.Fatal(err)
		}
		answered, err := engine.Tell(t.Context(), store, id, sluice.Signal{Kind: sluice.SignalCancel})
		if !answered || sluice.ErrorCode(err) != sluice.Conflict || sluice.ErrorHint(err) == "" {
			t.Errorf("the sender is told %v, %v", answered, err)
		}
		if letters, err := store.Letters(t.Context(), id); err != nil || len(letters) != 0 {
			t.Errorf("letters that wait for ever: %v, %v", letters, err)
		}
	})
}

// A fullStore takes no signals.
type fullStore struct{ *storetest.Memory }

func (s fullStore) Append(
	ctx context.Context, id sluice.DeploymentID, after sluice.Seq, events ...sluice.Event,
) error {
	if events[0].Kind == sluice.SignalReceived {
		return sluice.Errorf(sluice.Exhausted, "the disk is full")
	}
	return s.Memory.Append(ctx, id, after, events...)
}

func TestWhoSignalsNeedNotWaitForSpace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, fullStore{storetest.NewMemory()}, &world{start: starts{"staging/apply": approval}})
		id, err := e.Start(t.Context(), shop(), sluice.Actor{Name: "ada"})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := e.Signal(ctx, id, sluice.Signal{Kind: sluice.SignalCancel}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the signal: %v", err)
		}
	})
}

func TestAClockThatIsSetEndsAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var jump atomic.Int64
		now := func() time.Time { return time.Now().Add(time.Duration(jump.Load())) }
		until := now().Add(24 * time.Hour)
		w := &world{start: starts{"staging/apply": func(context.Context, sluice.Progress) (sluice.Progress, error) {
			return sluice.Progress{State: sluice.Waiting, Wait: &sluice.Wait{Until: until}}, nil
		}}}
		e := engine.New(engine.Config{Store: storetest.NewMemory(), Steps: w, Now: now, Random: rand.Reader})
		id, err := e.Start(t.Context(), shop(), sluice.Actor{Name: "ada"})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		jump.Store(int64(24 * time.Hour))
		began := time.Now()
		if status, err := e.Wait(t.Context(), id); status != sluice.StatusSucceeded || err != nil {
			t.Errorf("status %s, %v", status, err)
		}
		if late := time.Since(began); late > 2*time.Minute {
			t.Errorf("it was noticed %s late", late)
		}
		if err := e.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
