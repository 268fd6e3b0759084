package present

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// A workload that sluice was killed with stays stopped: the status says which, and how to start it.
func TestTheStatusNamesWhatMayBeStopped(t *testing.T) {
	set := sluice.Object{"apiVersion": "apps/v1", "kind": "StatefulSet"}
	set.Set("mongo", "metadata", "name")
	set.Set("shop", "metadata", "namespace")
	set.Set(int64(3), "spec", "replicas")
	snapshot, err := json.Marshal(map[string]any{"claims": nil, "ready": false, "source": map[string]any{"workload": set}})
	if err != nil {
		t.Fatal(err)
	}
	step := sluice.StepID("production/before/0")
	spec := sluice.StepSpec{Kind: sluice.KindCheckpointData, CheckpointData: &sluice.CheckpointData{Dataset: "orders"}}
	p := &sluice.Plan{
		Application: "shop", Targets: []sluice.PlannedTarget{{Name: "production"}},
		Steps: []sluice.PlannedStep{{ID: step, Target: "production", Phase: sluice.PhaseBefore, StepSpec: spec}},
	}
	s := &engine.State{ID: "d1"}
	const command = "kubectl scale --namespace shop statefulset/mongo --replicas 3"
	for i, e := range []sluice.Event{
		{Kind: sluice.DeploymentStarted, Plan: p, Actor: &sluice.Actor{Name: "me"}},
		{Kind: sluice.StepStarting, Step: step, Progress: &sluice.Progress{Snapshot: snapshot}},
		{Kind: sluice.StepDone, Step: step, Progress: &sluice.Progress{State: sluice.Done}},
	} {
		e.Seq = sluice.Seq(i + 1)
		s.Apply(e)
		var out bytes.Buffer
		if err := (Summary{Out: &out, State: s}).Status(); err != nil {
			t.Fatal(err)
		}
		if got, want := strings.Contains(out.String(), command), e.Kind == sluice.StepStarting; got != want {
			t.Errorf("after %s it says:\n%s", e.Kind, out.String())
		}
	}
}
