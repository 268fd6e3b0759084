package step_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/steptest"
)

func TestUnreadyVersionFailsAndIsPutBack(t *testing.T) {
	for name, test := range map[string]struct {
		change func([]sluice.Object)
		says   string
	}{
		"canary": {func(o []sluice.Object) {
			o[4] = workload("Deployment", "web", "web:unready", fromConfigMap("web"))
		}, "Deployment/web-canary is not ready in time: 0 of 3 replicas ready"},
		"StatefulSet": {func(o []sluice.Object) {
			o[3] = workload("StatefulSet", "db", "db:unready")
		}, "StatefulSet/db is not ready in time: 0 of 3 replicas ready"},
		"a canary that cannot": {func(o []sluice.Object) {
			o[4] = workload("Deployment", "web", "web:broken", fromConfigMap("web"))
		}, "Deployment/web-canary cannot become ready: 0 of 3 replicas ready; CrashLoopBackOff"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := installed(t)
				was := b.account.Snapshot()
				test.change(b.plan.Steps[0].Apply.Objects)
				p, err := b.run(t, "apply")
				if sluice.ErrorCode(err) != sluice.Failed || !strings.Contains(err.Error(), test.says) ||
					!strings.Contains(err.Error(), "pod ") || !strings.Contains(err.Error(), "last words of") {
					t.Errorf("got %v", err)
				}
				if err := b.must(t, "apply").Undo(t.Context(), p); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(was, b.account.Snapshot()); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestOldVersionThatDoesNotStartLeavesTheNewOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := installed(t)
		b.mustRun(t, "apply")
		b.account.Break("web:1")
		p := b.mustRun(t, "promote")
		err := b.must(t, "promote").Undo(t.Context(), p)
		if sluice.ErrorCode(err) != sluice.Failed || !strings.Contains(err.Error(), "the new one stays") {
			t.Errorf("got %v", err)
		}
		if imageIn(b.get(t, web)) != "web:2" || b.get(t, webCanary) != nil || b.get(t, webConfig).Text("data", "KEY") != "2" {
			t.Errorf("the only healthy copy was touched:\n%s", b.account.Snapshot())
		}
	})
}

func TestWhatOthersChangedIsLeftAndNamed(t *testing.T) {
	b := installed(t)
	b.plan.Steps[0].Apply.Canary = false
	p := b.mustRun(t, "apply")
	b.account.Edit(webConfig, func(o sluice.Object) { o.Set("by hand", "data", "KEY") })
	for range 2 {
		err := b.must(t, "apply").Undo(t.Context(), p)
		if sluice.ErrorCode(err) != sluice.Conflict || !strings.Contains(err.Error(), "ConfigMap/web") {
			t.Errorf("got %v", err)
		}
		if b.get(t, webConfig).Text("data", "KEY") != "by hand" || imageIn(b.get(t, web)) != "web:1" {
			t.Errorf("after undo:\n%s", b.account.Snapshot())
		}
	}
}

func TestSnapshotHoldsNoSecret(t *testing.T) {
	b := installed(t)
	preview, err := b.must(t, "apply").Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	raw := string(preview.Snapshot) + fmt.Sprint(preview.Changes)
	if !strings.Contains(raw, "db-login") {
		t.Fatal("the Secret is not in the snapshot")
	}
	if strings.Contains(strings.ReplaceAll(raw, `sluice-sealed:\u003ccGFzcw==`, ""), "cGFzcw==") {
		t.Errorf("a secret is recorded in plain: %s", raw)
	}
}

// A denier takes no more writes of one object.
type denier struct {
	*steptest.Account
	ref    sluice.Ref
	code   sluice.Code
	writer sluice.ClusterWriter // of an application
}

func (d denier) For(w sluice.Writing) (sluice.ClusterWriter, sluice.Adopter) {
	writer, adopter := d.Account.For(w)
	return denier{d.Account, d.ref, d.code, writer}, adopter
}

func (d denier) Apply(ctx context.Context, o sluice.Object, dryRun bool) (sluice.Object, sluice.Outcome, error) {
	if !dryRun && o.Ref() == d.ref {
		return nil, "", sluice.Errorf(d.code, "%s is not to be written", d.ref)
	}
	return d.writer.Apply(ctx, o, dryRun)
}

func (d denier) Restore(ctx context.Context, was sluice.Object, dryRun bool) (sluice.Object, sluice.Outcome, error) {
	return d.Apply(ctx, was, dryRun)
}

func (d denier) Abilities() sluice.Account {
	a := d.Account.Abilities()
	a.Writers = d
	return a
}

// One object that cannot be put back does not keep the others from it. When it can be, the same undo puts it back.
func TestUndoPutsBackWhatItCan(t *testing.T) {
	for code, again := range map[sluice.Code]bool{
		sluice.Denied: true, sluice.Exhausted: true, sluice.Invalid: false, sluice.Failed: false,
	} {
		t.Run(string(code), func(t *testing.T) { putsBackWhatItCan(t, code, again) })
	}
}

func putsBackWhatItCan(t *testing.T, code sluice.Code, again bool) {
	config := func(name, value string) sluice.Object {
		return object("v1", "ConfigMap", name, map[string]any{"data": map[string]any{"KEY": value}})
	}
	b := newBench(config("a", "1"), config("b", "1"), config("c", "1"))
	b.add("apply", sluice.StepSpec{Kind: sluice.KindApply,
		Apply: &sluice.Apply{Objects: []sluice.Object{config("a", "2"), config("b", "2"), config("c", "2")}}})
	p := b.mustRun(t, "apply")
	undone := func(want string) {
		t.Helper()
		for name, want := range map[string]string{"a": "1", "b": want, "c": "1"} {
			if got := b.get(t, config(name, "").Ref()).Text("data", "KEY"); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
	}
	free := b.deps.Accounts["cluster"]
	b.deps.Accounts["cluster"] = denier{Account: b.account, ref: config("b", "").Ref(), code: code}.Abilities()
	err := b.must(t, "apply").Undo(t.Context(), p)
	if sluice.ErrorCode(err) != code || sluice.MayPass(err) != again || !strings.Contains(err.Error(), "ConfigMap/b") {
		t.Errorf("undo: %v, may pass %v", err, sluice.MayPass(err))
	}
	undone("2")
	b.deps.Accounts["cluster"] = free
	if err := b.must(t, "apply").Undo(t.Context(), p); err != nil {
		t.Errorf("undo when nothing is in its way: %v", err)
	}
	undone("1")
}

// testdata holds what apply and promote of an earlier version recorded in the log, whose pods had no label for their
// release, and whose Deployments used their configuration under its own name. A later version undoes what that began.
func TestWhatAnEarlierVersionBroughtIsUndone(t *testing.T) {
	b := installed(t)
	for _, id := range []string{"apply", "canary/0", "canary/1", "promote"} {
		b.mustRun(t, id)
	}
	o := b.get(t, web)
	labels, _ := o.Field("spec", "template", "metadata", "labels").(map[string]any)
	delete(labels, sluice.ReleaseLabel)
	o.List("spec", "template", "spec", "containers")[0]["envFrom"] = []any{fromConfigMap("web")}
	shop, _ := b.account.For(sluice.Writing{Application: "shop"})
	if _, _, err := shop.Apply(t.Context(), o, false); err != nil {
		t.Fatal(err)
	}
	recorded := map[string]sluice.Progress{}
	for _, id := range []string{"promote", "apply"} {
		raw, err := os.ReadFile(filepath.Join("testdata", id+".json"))
		var p sluice.Progress
		if err := errors.Join(err, json.Unmarshal(raw, &p)); err != nil {
			t.Fatal(err)
		}
		recorded[id] = p
		if err := b.must(t, id).Undo(t.Context(), p); err != nil {
			t.Fatalf("undo %s: %v", id, err)
		}
	}
	var snap struct {
		Before []struct{ Object sluice.Object }
	}
	if err := json.Unmarshal(recorded["promote"].Snapshot, &snap); err != nil {
		t.Fatal(err)
	}
	for _, was := range snap.Before {
		if ref := was.Object.Ref(); ref.Kind != "StatefulSet" {
			if diff := cmp.Diff(was.Object["spec"], b.get(t, ref)["spec"]); diff != "" {
				t.Errorf("%s after undo (-want +got):\n%s", ref, diff)
			}
		}
	}
	if got := imageIn(b.get(t, ref("apps/v1", "StatefulSet", "db"))); got != "db:1" {
		t.Errorf("the StatefulSet runs %s", got)
	}
}
