package data_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
)

// Wrong names are found by the plan, which says what was meant.
func TestThePlanSaysWhatIsMisspelled(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*sluice.StepSpec)
		says   string
		hint   string
	}{
		"the namespace of the source": {func(s *sluice.StepSpec) { s.MigrateData.Source.Namespace = "prdo" },
			"no namespace prdo", "did you mean prod?"},
		"a claim": {func(s *sluice.StepSpec) { s.MigrateData.Spec.Claims = []string{"mongo-dta"} },
			"no claim mongo-dta", "did you mean mongo-data?"},
		"the workload": {func(s *sluice.StepSpec) { s.MigrateData.Spec.Workload = "StatefulSet/mngo" },
			"no workload StatefulSet/mngo", "did you mean mongo?"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.deploy("prod", "db:1", abc())
			w.deploy("staging", "db:2", documents{"old": "data"})
			spec := migrating()
			spec.MigrateData.Spec.Pos = sluice.Position{File: "deploy.yaml", Line: 7, Column: 3}
			c.change(&spec)
			_, err := w.step("d1", "staging", spec, nil).Check(t.Context())
			if sluice.ErrorCode(err) != sluice.NotFound || !strings.Contains(err.Error(), c.says) ||
				!strings.Contains(err.Error(), "deploy.yaml:7:3") || !strings.Contains(sluice.ErrorHint(err), c.hint) {
				t.Errorf("%v; hint: %s", err, sluice.ErrorHint(err))
			}
		})
	}
}

// sized gives the claim of a namespace a size and a class.
func (w *world) sized(namespace, size, class string) {
	ref := sluice.Ref{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: namespace, Name: "mongo-data"}
	o := w.objects[ref].Clone()
	o.Set(size, "spec", "resources", "requests", "storage")
	o.Set(class, "spec", "storageClassName")
	w.objects[ref] = o
}

func (w *world) put(apiVersion, kind, namespace, name string, fields sluice.Object) {
	o := fields.Clone()
	o["apiVersion"], o["kind"] = apiVersion, kind
	o.Set(name, "metadata", "name")
	o.Set(namespace, "metadata", "namespace")
	w.objects[sluice.Ref{APIVersion: apiVersion, Kind: kind, Namespace: namespace, Name: name}] = o
}

func TestThePlanKnowsWhetherTheTargetHasRoom(t *testing.T) {
	quota := func(name, hard, used string) sluice.Object {
		return sluice.Object{"status": map[string]any{
			"hard": map[string]any{name: hard}, "used": map[string]any{name: used}}}
	}
	for name, c := range map[string]struct {
		quota sluice.Object
		full  bool
	}{
		"enough":                {quota("requests.storage", "20Gi", "5Gi"), false},
		"as much as needed":     {quota("requests.storage", "10Gi", "5Gi"), false},
		"too little storage":    {quota("requests.storage", "9Gi", "5Gi"), true},
		"too little of a class": {quota("fast.storageclass.storage.k8s.io/requests.storage", "9Gi", "5Gi"), true},
		"too few claims":        {quota("persistentvolumeclaims", "1", "1"), true},
		"of another class":      {quota("slow.storageclass.storage.k8s.io/requests.storage", "1Gi", "1Gi"), false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.deploy("prod", "db:1", abc())
			w.deploy("staging", "db:2", documents{"old": "data"})
			w.sized("prod", "5Gi", "fast")
			w.sized("staging", "5Gi", "fast")
			w.put("v1", "ResourceQuota", "staging", "limits", c.quota)
			_, err := w.step("d1", "staging", migrating(), nil).Check(t.Context())
			if full := sluice.ErrorCode(err) == sluice.Exhausted; full != c.full || !full && err != nil {
				t.Errorf("the quota: %v", err)
			}
			if c.full && !strings.Contains(err.Error(), "limits") {
				t.Errorf("the quota is not named: %v", err)
			}
		})
	}
}

func TestThePlanWarnsOfASmallerClaim(t *testing.T) {
	w := newWorld(t)
	w.deploy("prod", "db:1", abc())
	w.deploy("staging", "db:2", documents{"old": "data"})
	w.sized("prod", "5Gi", "fast")
	w.sized("staging", "1Gi", "fast")
	p, err := w.step("d1", "staging", migrating(), nil).Check(t.Context())
	if err != nil || !strings.Contains(fmt.Sprint(p.Notes), "has 1Gi, and the one that is copied has 5Gi") {
		t.Errorf("the plan says %q, %v", p.Notes, err)
	}
}

func TestThePlanKnowsTheClassesOfTheTarget(t *testing.T) {
	w := newWorld(t)
	w.deploy("prod", "db:1", abc())
	w.sized("prod", "5Gi", "fast")
	w.put("v1", "Namespace", "", "staging", sluice.Object{})
	w.put("storage.k8s.io/v1", "StorageClass", "", "slow", sluice.Object{})
	_, err := w.step("d1", "staging", migrating(), nil).Check(t.Context())
	if sluice.ErrorCode(err) != sluice.NotFound || !strings.Contains(err.Error(), "fast") {
		t.Errorf("a class that is not there: %v", err)
	}
}
