package data_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/dataset"
)

func TestMigrateIntoAnEmptyTargetAndBack(t *testing.T) {
	w := newWorld(t)
	w.deploy("prod", "db:1", abc())
	w.objects[sluice.Ref{APIVersion: "v1", Kind: "Namespace", Name: "staging"}] = sluice.Object{"kind": "Namespace"}
	before := w.state()
	s := w.step("d1", "staging", migrating(), nil)
	p := must(t, s)
	if diff := cmp.Diff(abc(), w.live("staging")); diff != "" {
		t.Errorf("what arrived:\n%s", diff)
	}
	if runs := w.flat(w.objects[mongoRef("staging")]); !strings.Contains(runs, "db:1") {
		t.Errorf("the workload is %s", runs)
	}
	secret := w.objects[sluice.Ref{APIVersion: "v1", Kind: "Secret", Namespace: "staging", Name: "login"}]
	if secret.Text("data", "password") != "c2VzYW1l" {
		t.Errorf("the Secret arrived as %v", secret)
	}
	if err := s.Undo(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, w.state()); diff != "" {
		t.Errorf("undo left:\n%s", diff)
	}
}

func TestMigrateOverOldDataUndoAndFinish(t *testing.T) {
	for name, finish := range map[string]bool{"undo": false, "finish": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.deploy("prod", "db:1", abc())
			w.deploy("staging", "db:2", documents{"old": "data"})
			before := w.state()
			s := w.step("d1", "staging", migrating(), nil)
			p := must(t, s)
			if diff := cmp.Diff(abc(), w.live("staging")); diff != "" {
				t.Errorf("what arrived:\n%s", diff)
			}
			if finish {
				if err := s.Finish(t.Context(), p); err != nil {
					t.Fatal(err)
				}
				if n := len(w.volumes["staging/mongo-data"].generations); n != 1 {
					t.Errorf("%d generations stay", n)
				}
				return
			}
			if err := s.Undo(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, w.state()); diff != "" {
				t.Errorf("undo left:\n%s", diff)
			}
		})
	}
}

func TestMigrateNoticesWhatArrivesChanged(t *testing.T) {
	w := newWorld(t)
	w.deploy("prod", "db:1", abc())
	w.deploy("staging", "db:2", documents{})
	w.traffic = func(namespace, name string) {
		if namespace == "staging" {
			delete(w.live(namespace), "b")
		}
		_ = name
	}
	p, err := begin(t, w.step("d1", "staging", migrating(), nil))
	if sluice.ErrorCode(err) != sluice.Failed {
		t.Fatalf("a lost document: %v", err)
	}
	if diff := cmp.Diff([]string{"b"}, p.Result.Verification.Comparison.Collections[0].MissingKeys); diff != "" {
		t.Error(diff)
	}
}

// An earlier version deleted the workload to stop it, and recorded neither claims nor what a cluster adds.
func TestUndoOfWhatAnEarlierVersionBegan(t *testing.T) {
	w := newWorld(t)
	w.deploy("prod", "db:1", abc())
	w.deploy("staging", "db:2", documents{"old": "data"})
	set := w.objects[mongoRef("staging")].Clone()
	delete(set["metadata"].(map[string]any), "uid")
	was := dataset.Before{Claims: map[string]string{"mongo-data": "first"}, Workload: set, Ready: true}
	raw, err := json.Marshal(was)
	if err != nil {
		t.Fatal(err)
	}
	s := w.step("d1", "staging", migrating(), nil)
	p := sluice.Progress{Snapshot: raw}
	if err := drive(t.Context(), s, &p); err != nil {
		t.Fatal(err)
	}
	if err := w.Delete(t.Context(), mongoRef("staging")); err != nil {
		t.Fatal(err)
	}
	undo(t, "undo", w, s, p)
	if diff := cmp.Diff(documents{"old": "data"}, w.live("staging")); diff != "" {
		t.Errorf("the data:\n%s", diff)
	}
	if now := w.flat(w.objects[mongoRef("staging")]); !strings.Contains(now, "db:2") {
		t.Errorf("the workload is %s", now)
	}
}
