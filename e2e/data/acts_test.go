package data

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/e2e/world"
	"github.com/sluice-cd/sluice/examples/shop/load"
	"github.com/sluice-cd/sluice/examples/shop/orders"
)

// An act is one delivery. Later acts stand on earlier ones.
type act struct {
	name string
	play func(*shop)
}

var acts = []act{
	{"caught in staging", (*shop).caughtInStaging},
	{"all the way", (*shop).allTheWay},
	{"caught in production", (*shop).caughtInProduction},
	{"put back", (*shop).putBack},
	{"killed", (*shop).killed},
}

// TestActs is the demonstration of the examples, on two clusters. Migrations go through Sluice's repository;
// checkpoints stay in the storage of production if it has snapshots.
func TestActs(t *testing.T) {
	for _, c := range []struct {
		name    string
		storage storage
		acts    []act
	}{
		{"snapshots", storage{class: "csi"}, acts},
		{"stopped, in a bucket", storage{class: "standard", quiesce: "    quiesce: stop\n", bucket: true}, short()},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newShop(t, c.storage)
			defer h.forget()
			h.play(t, c.acts)
		})
	}
}

// play plays the acts until one fails.
func (h *shop) play(t *testing.T, acts []act) {
	for _, act := range acts {
		if !t.Run(act.name, func(t *testing.T) {
			began := time.Now()
			act.play(h.on(t))
			t.Logf("took %s", time.Since(began).Round(time.Second))
		}) {
			return
		}
	}
}

// short returns the first act, or with E2E_LONG=1 all acts: other storage than that of the examples changes only how
// data moves.
func short() []act {
	if long {
		return acts
	}
	return acts[:1]
}

// on returns the shop for a subtest.
func (h *shop) on(t *testing.T) *shop {
	production, staging := *h.World, *h.staging
	production.T, staging.T = t, t
	return &shop{&production, &staging, h.storage}
}

// crowd sends customers to production's shop.
func (h *shop) crowd(prefix string) *load.Generator {
	h.Helper()
	address := h.Get("Service", "shop").Text("spec", "clusterIP")
	g := &load.Generator{URL: "http://" + address + ":8080", Rate: 50, Prefix: prefix, Connect: true}
	g.Start()
	return g
}

// account fails if a confirmed order is not in the database.
func (h *shop) account(f load.Figures) {
	h.Helper()
	now := h.orders(h.World)
	h.Logf("%d requests, %d failed, the slowest took %s; %d orders promised", f.Total, f.Failed,
		f.Slowest.Round(time.Millisecond), len(f.Promised))
	if found := now.CountOf(f.Promised); len(f.Promised) == 0 || found != len(f.Promised) {
		h.Errorf("of %d promised orders %d are there", len(f.Promised), found)
	}
}

// faultless fails if a request failed, unless the database had to be stopped for the copy.
func (h *shop) faultless(f load.Figures) {
	h.Helper()
	if f.Failed > 0 && h.storage.quiesce == "" {
		h.Errorf("%d requests failed, the first at %s: %s", f.Failed, f.Faults[0].At.Format(time.TimeOnly), f.Faults[0].What)
	}
}

// runs fails unless the pods of the workloads run these images and are ready.
func (h *shop) runs(staging bool, images ...string) {
	h.Helper()
	w := h.World
	if staging {
		w = h.staging
	}
	w.Await("the images "+strings.Join(images, ", "), func() bool {
		missing := slices.Clone(images)
		for _, p := range w.List("Pod", "") {
			image := p.List("spec", "containers")[0].Text("image")
			missing = slices.DeleteFunc(missing, func(i string) bool { return i == image })
		}
		return len(missing) == 0
	})
}

// caughtInStaging: the data migration of this release loses orders. Nobody writes meanwhile.
func (h *shop) caughtInStaging() {
	before := h.orders(h.World)
	pods := h.uids()
	r := h.Ends(sluice.StatusFailed, h.start("release-2.0-rc1"))
	after, staging := h.orders(h.World), h.orders(h.staging)
	if !before.Equal(after) {
		h.Error("the orders of production have changed")
	}
	if now := h.uids(); !slices.Equal(pods, now) {
		h.Errorf("the pods of production were %v and are %v", pods, now)
	}
	lost := after.Without(staging)
	if reported := h.reported(r.Deployment()); len(lost) == 0 || !slices.Equal(reported, lost) {
		h.Errorf("%d orders were lost, %d were reported\n%s", len(lost), len(reported), r.Story())
	}
}

// uids returns the uids of production's pods. A database that has to be stopped for the copy gets a new one.
func (h *shop) uids() []string {
	labels := ""
	if h.storage.quiesce != "" {
		labels = "app=shop"
	}
	var list []string
	for _, p := range h.List("Pod", labels) {
		list = append(list, p.Text("metadata", "uid"))
	}
	slices.Sort(list)
	return list
}

// reported reads the lost orders from the verification reports of the deployment.
func (h *shop) reported(id sluice.DeploymentID) []string {
	h.Helper()
	files, err := filepath.Glob(filepath.Join(h.Dir, ".sluice", "reports", string(id), "*.json"))
	if err != nil {
		h.Fatal(err)
	}
	var lost []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			h.Fatal(err)
		}
		var v sluice.Verification
		if err := json.Unmarshal(text, &v); err != nil {
			h.Fatal(err)
		}
		for _, c := range v.Comparison.Collections {
			if c.Name != "orders" {
				continue
			}
			for _, key := range c.MissingKeys {
				var text string
				if json.Unmarshal([]byte(key), &text) != nil {
					text = key
				}
				lost = append(lost, text)
			}
		}
	}
	slices.Sort(lost)
	return lost
}

// allTheWay delivers a good release with a new version of the database server, while customers send orders.
func (h *shop) allTheWay() {
	crowd := h.crowd("way")
	p := h.start("release-2.0")
	r := p.Wait()
	f := crowd.Stop()
	if r.Outcome != sluice.StatusSucceeded {
		h.Fatalf("the release ended as %s\n%s", r.Outcome, r.Story())
	}
	h.account(f)
	h.faultless(f)
	for _, staging := range []bool{false, true} {
		h.runs(staging, "shop:2.0", "ferretdb:1.24.2")
	}
}

// caughtInProduction delivers a release that fails under load.
func (h *shop) caughtInProduction() {
	crowd := h.crowd("caught")
	r := h.start("release-2.1").Wait()
	f := crowd.Stop()
	if r.Outcome != sluice.StatusRolledBack {
		h.Fatalf("the release ended as %s\n%s", r.Outcome, r.Story())
	}
	h.account(f)
	if f.Failed == 0 {
		h.Error("the bad release never failed a request, so there was nothing to catch")
	}
	for _, fault := range f.Faults {
		if fault.Release != "2.1" && h.storage.quiesce == "" {
			h.Errorf("a request failed that release 2.1 did not answer: %s", fault.What)
			break
		}
	}
	h.runs(false, "shop:2.0", "ferretdb:1.24.2")
}

// putBack delivers a release that deletes orders when it gets traffic. The checkpoint is restored; what was written
// since is saved.
func (h *shop) putBack() {
	checkpoint := h.orders(h.World)
	p := h.start("release-2.2")
	p.Await(func(e world.Event) bool {
		return e.Kind == sluice.StepDone && strings.Contains(string(e.Step), "production/before")
	})
	crowd := h.crowd("back")
	r := p.Wait()
	f := crowd.Stop()
	if r.Outcome != sluice.StatusRolledBack {
		h.Fatalf("the release ended as %s\n%s", r.Outcome, r.Story())
	}
	restored := h.orders(h.World)
	if kept := checkpoint.Kept(restored); kept != len(checkpoint) {
		h.Errorf("%d orders of the checkpoint are not back as they were", len(checkpoint)-kept)
	}
	h.savedAside(r, restored, f)
}

// savedAside restores in staging what was saved before the restore, and looks in it for each order that is gone.
func (h *shop) savedAside(r world.Result, restored orders.Digests, f load.Figures) {
	h.Helper()
	var aside sluice.CheckpointID
	for _, e := range r.Events {
		if e.Progress != nil && e.Progress.Result != nil && e.Progress.Result.SavedAside != "" {
			aside = e.Progress.Result.SavedAside
		}
	}
	if aside == "" {
		h.Fatalf("nothing was saved\n%s", r.Story())
	}
	at, target := h.staging, "staging"
	if h.storage.mover == "" && !h.storage.within { // what stays in the storage does not leave its cluster
		at, target = h.World, "production"
	}
	h.Ends(sluice.StatusSucceeded, h.Start("data", "restore", string(aside), "--target", target, "--yes"))
	saved := h.orders(at)
	gone := map[string]time.Time{}
	for key, at := range f.Promised {
		if _, ok := restored[key]; !ok {
			gone[key] = at
		}
	}
	if n := saved.CountOf(gone); len(gone) == 0 || n != len(gone) {
		h.Errorf("%d orders are gone from production, %d of them were saved", len(gone), n)
	}
}

// killed delivers a good release; sluice is killed in the migration and again in the canary.
func (h *shop) killed() {
	crowd := h.crowd("killed")
	p := h.start("release-2.3")
	p.Await(func(e world.Event) bool {
		return e.Kind == sluice.StepStarting && strings.HasPrefix(string(e.Step), "staging/before")
	})
	h.Await("something that copies", func() bool {
		return len(h.List(h.copying(), "app.kubernetes.io/managed-by=sluice")) > 0
	})
	p.Kill()
	p = h.Start("run", "--resume")
	p.Await(func(e world.Event) bool {
		return e.Kind == sluice.StepStarting && strings.HasPrefix(string(e.Step), "production/canary/2")
	})
	p.Kill()
	r := h.Start("run", "--resume").Wait()
	f := crowd.Stop()
	if r.Outcome != sluice.StatusSucceeded {
		h.Fatalf("the release ended as %s\n%s", r.Outcome, r.Story())
	}
	h.account(f)
	h.faultless(f)
	for _, staging := range []bool{false, true} {
		h.runs(staging, "shop:2.3", "ferretdb:1.24.2")
	}
}

// copying is the kind of the objects by which production's data is copied.
func (h *shop) copying() string {
	if h.storage.within {
		return "VolumeSnapshot.snapshot.storage.k8s.io"
	}
	return "Job"
}
