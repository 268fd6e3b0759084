package history

import (
	"context"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/storetest"
)

// A counted log counts how often the events of a deployment are read.
type counted struct {
	sluice.Log
	reads map[sluice.DeploymentID]int
}

func (c counted) Read(ctx context.Context, id sluice.DeploymentID, after sluice.Seq) iter.Seq2[sluice.Event, error] {
	c.reads[id]++
	return c.Log.Read(ctx, id, after)
}

// An Index finds the users of an object whether their deployment ended or not, and reads each plan once.
func TestUsersOfAnObject(t *testing.T) {
	store := storetest.NewMemory()
	start := func(id sluice.DeploymentID, application, account string, names ...string) {
		t.Helper()
		var objects []sluice.Object
		for _, name := range names {
			objects = append(objects, sluice.Object{"apiVersion": "v1", "kind": "ConfigMap",
				"metadata": map[string]any{"name": name, "namespace": "n"}})
		}
		p := &sluice.Plan{Application: application, Targets: []sluice.PlannedTarget{{Name: "t", Account: account}},
			Steps: []sluice.PlannedStep{{ID: "t/apply", Target: "t", Phase: sluice.PhaseApply,
				StepSpec: sluice.StepSpec{Kind: sluice.KindApply, Apply: &sluice.Apply{Objects: objects}}}}}
		err := store.Append(t.Context(), id, 0, sluice.Event{At: time.Unix(1, 0), Kind: sluice.DeploymentStarted, Plan: p})
		if err != nil {
			t.Fatal(err)
		}
	}
	start("d1", "blog", "here", "a", "both")
	start("d2", "shop", "here", "b", "both")
	start("d3", "bank", "there", "both")
	log := counted{store, map[sluice.DeploymentID]int{}}
	x := NewIndex(log)
	users := func(account string, names ...string) string {
		t.Helper()
		var refs []sluice.Ref
		for _, name := range names { // another version of the kind is the same object
			refs = append(refs, sluice.Ref{APIVersion: "v2", Kind: "ConfigMap", Namespace: "n", Name: name})
		}
		list, err := x.Users(t.Context(), account, refs)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(list)
	}
	for _, test := range []struct {
		account string
		names   []string
		want    string
	}{
		{"here", []string{"both"}, "[blog shop]"},
		{"here", []string{"a"}, "[blog]"},
		{"here", []string{"a", "b"}, "[blog shop]"},
		{"there", []string{"both"}, "[bank]"},
		{"there", []string{"a"}, "[]"},
		{"here", nil, "[]"},
	} {
		if got := users(test.account, test.names...); got != test.want {
			t.Errorf("%q in %s: %s, want %s", test.names, test.account, got, test.want)
		}
	}
	start("d4", "late", "there", "a")
	if got := users("there", "a"); got != "[late]" {
		t.Errorf("after a later deployment: %s", got)
	}
	for _, id := range []sluice.DeploymentID{"d1", "d2", "d3", "d4"} {
		if log.reads[id] != 1 {
			t.Errorf("%s was read %d times", id, log.reads[id])
		}
	}
}
