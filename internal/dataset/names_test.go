package dataset

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

// Deployments that an earlier version began are resumed and undone by this one. So what work is named, and what is
// recorded of it, never changes.
func TestNamesStay(t *testing.T) {
	d := Dataset{Key: Key("d1", "prod/before/1"), Place: sluice.Place{Namespace: "shop"}}
	masked := Request{Dataset: d, ID: CheckpointID("d1", "prod/before/1", "-aside"), Mask: sluice.Mask{"a.b": "hash"}}
	plain := masked
	plain.Mask = nil
	long := d
	long.Place.Namespace = "a-namespace-whose-name-is-as-long-as-a-name-may-be-63-characters"
	got := map[string]string{
		"key": d.Key, "checkpoint": string(plain.ID), "copy": plain.rawID(), "copy to be masked": masked.rawID(),
		"cut": plain.generation(), "swap": d.swapped(),
		"scratch": d.Scratch("").inside.Place.Namespace, "its generation": d.Scratch("").generation(),
		"scratch of a comparison": d.Scratch(ForComparison).inside.Place.Namespace,
		"scratch of a long name":  long.Scratch(ForComparison).inside.Place.Namespace,
	}
	want := map[string]string{
		"key": "93dcde48e1", "checkpoint": "d1-prod-before-1-aside", "copy": "d1-prod-before-1-aside",
		"copy to be masked": "d1-prod-before-1-aside-unmasked", "cut": "cut-93dcde48e1", "swap": "data-93dcde48e1",
		"scratch": "shop-sluice-93dcde48e1", "its generation": "scratch-93dcde48e1",
		"scratch of a comparison": "shop-sluice-93dcde48e1c",
		"scratch of a long name":  "a-namespace-whose-name-is-as-long-as-a-name--sluice-93dcde48e1c",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheRecordOfWhatWasBeforeStays(t *testing.T) {
	const recorded = `{"claims":{"mongo-data":"first"},"workload":{"kind":"StatefulSet"},"ready":true,` +
		`"absent":[{"apiVersion":"v1","kind":"Secret","namespace":"shop","name":"login"}]}`
	want := Before{
		Claims: map[string]string{"mongo-data": "first"}, Workload: sluice.Object{"kind": "StatefulSet"}, Ready: true,
		Absent: []sluice.Ref{{APIVersion: "v1", Kind: "Secret", Namespace: "shop", Name: "login"}},
	}
	var got Before
	if err := json.Unmarshal([]byte(recorded), &got); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got) + cmp.Diff(recorded, string(raw)); diff != "" {
		t.Error(diff)
	}
	const stopped = `{"claims":null,"ready":false,"source":{"claims":null,"workload":{"kind":"StatefulSet"},"ready":true}}`
	raw, err = json.Marshal(Before{Source: &Before{Workload: sluice.Object{"kind": "StatefulSet"}, Ready: true}})
	if err != nil || string(raw) != stopped {
		t.Errorf("a source that is stopped is recorded as %s, %v", raw, err)
	}
}
