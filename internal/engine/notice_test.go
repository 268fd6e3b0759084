package engine_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/storetest"
)

// What an undo waits for is in the log within seconds, once for as long as it stands.
func TestWhatAnUndoWaitsForIsRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		w := &world{start: starts{"staging/apply": failing}}
		w.undoing = func(report func(sluice.Progress)) error {
			tries++
			for _, moment := range []struct {
				message string
				lasts   time.Duration
			}{{"brief", time.Second}, {"held by x", time.Second}, {"held by x", 8 * time.Second}} {
				report(sluice.Progress{State: sluice.Running, Message: moment.message})
				time.Sleep(moment.lasts)
			}
			if tries <= 2 {
				return sluice.Errorf(sluice.Denied, "you may not")
			}
			report(sluice.Progress{State: sluice.Running, Message: "nearly there"})
			time.Sleep(1900 * time.Millisecond)
			return nil
		}
		log := storetest.NewMemory()
		e := newEngine(t, log, w)
		id, err := e.Start(t.Context(), shop(), sluice.Actor{Name: "ada"})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * time.Second)
		state, err := engine.Fold(id, log.Read(t.Context(), id, 0))
		if err != nil || state.Steps["staging/apply"].WaitsFor != "held by x" {
			t.Errorf("after four seconds: %+v, %v", state.Steps["staging/apply"], err)
		}
		if status, err := e.Wait(t.Context(), id); status != sluice.StatusRolledBack || err != nil {
			t.Errorf("status %s, %v", status, err)
		}
		var got []string
		for event, err := range log.Read(t.Context(), id, 0) {
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case event.Step != "staging/apply":
			case event.Failure != nil:
				got = append(got, fmt.Sprintf("%s: %s", event.Kind, event.Failure.Message))
			case event.Progress != nil:
				got = append(got, fmt.Sprintf("%s: %s", event.Kind, event.Progress.Message))
			default:
				got = append(got, string(event.Kind))
			}
		}
		want := []string{
			"stepStarting: ", "stepFailed: three orders are missing", "stepUndoing",
			"stepUndoing: held by x", "stepRetrying: you may not", "stepUndoing: held by x", "stepRetrying: you may not",
			"stepUndoing: held by x", "stepUndone",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}
