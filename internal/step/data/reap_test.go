package data_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/service"
	"github.com/sluice-cd/sluice/internal/storetest"
)

// A reaping is a world in which d1 took a checkpoint that expires in an hour, d2 was killed while a copy was open, and
// somebody made a branch for an hour.
type reaping struct {
	*world
	store *storetest.Memory
}

func newReaping(t *testing.T) *reaping {
	w := branchable(t)
	r := &reaping{w, storetest.NewMemory()}
	r.store.Catalogue = w
	if _, err := w.branch(t.Context(), "anna"); err != nil {
		t.Fatal(err)
	}
	c := w.catalogue[taken]
	c.Expires = w.now.Add(time.Hour)
	w.catalogue[taken] = c
	for n := 1; len(w.temporaries()) < 2; n++ {
		dying(t, w, n, true, func(ctx context.Context) error {
			_, err := w.step("d2", "prod", checkpointing(0), nil).Start(ctx, sluice.Progress{})
			return err
		})
	}
	return r
}

// began records that the deployment began.
func (r *reaping) began(id sluice.DeploymentID) {
	r.append(id, 0, sluice.Event{Kind: sluice.DeploymentStarted, At: r.now,
		Plan: &sluice.Plan{Application: string(id)}, Actor: &sluice.Actor{Name: "anna"}})
}

func (r *reaping) ended(id sluice.DeploymentID) {
	r.append(id, 1, sluice.Event{Kind: sluice.DeploymentEnded, At: r.now, Outcome: sluice.StatusFailed})
}

func (r *reaping) append(id sluice.DeploymentID, after sluice.Seq, e sluice.Event) {
	r.t.Helper()
	if err := r.store.Append(r.t.Context(), id, after, e); err != nil {
		r.t.Fatal(err)
	}
}

// reap returns what a reaper deletes at that time from now.
func (r *reaping) reap(in time.Duration) []string {
	r.t.Helper()
	at := r.now.Add(in)
	reaped, err := service.Reaper{
		Store: r.store, Movers: r.deps().Movers, Now: func() time.Time { return at },
		Accounts: map[string]sluice.Account{"local": r.abilities()},
	}.Reap(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return reaped.Names()
}

const years = 100 * 365 * 24 * time.Hour

func TestTheReaperDeletesWhatHasExpiredAndNothingElse(t *testing.T) {
	r := newReaping(t)
	for _, in := range []time.Duration{-years, 0, time.Hour} {
		if names := r.reap(in); len(names) > 0 {
			t.Errorf("after %s it deleted %v", in, names)
		}
	}
	want := []string{"the checkpoint d1-prod-before-1", "the branch anna in local/dev"}
	if diff := cmp.Diff(want, r.reap(time.Hour+time.Second)); diff != "" {
		t.Errorf("after an hour:\n%s", diff)
	}
	left := r.temporaries()
	if len(left) != 1 || left[0].Branch != nil {
		t.Fatalf("what stays is %v", left)
	}
	want = []string{"the copy in local/" + left[0].Place.Namespace}
	if diff := cmp.Diff(want, r.reap(25*time.Hour)); diff != "" {
		t.Errorf("after a day:\n%s", diff)
	}
	if names := r.reap(-years); len(names) > 0 || len(r.temporaries()) > 0 || r.live("prod")["d"] != "4" {
		t.Errorf("after that: %v, %v", names, r.temporaries())
	}
}

func TestTheReaperSparesWhatADeploymentMayNeed(t *testing.T) {
	r := newReaping(t)
	r.began("d1")
	r.began("d2")
	if diff := cmp.Diff([]string{"the branch anna in local/dev"}, r.reap(years)); diff != "" {
		t.Errorf("while both run:\n%s", diff)
	}
	r.ended("d1")
	r.ended("d2")
	if names := r.reap(years); len(names) != 2 {
		t.Errorf("after their ends: %v", names)
	}
}

func TestTheReaperKeepsWhatHasNoTime(t *testing.T) {
	w := branchable(t)
	r := &reaping{w, storetest.NewMemory()}
	r.store.Catalogue = w
	if names := r.reap(years); len(names) > 0 || len(w.catalogue) != 1 {
		t.Errorf("it deleted %v", names)
	}
}

// What cannot be deleted keeps nothing else, and is tried again.
func TestTheReaperGoesOnAfterAnError(t *testing.T) {
	r := newReaping(t)
	r.clinging = taken
	later := r.now.Add(years)
	reaper := service.Reaper{
		Store: r.store, Movers: r.deps().Movers, Now: func() time.Time { return later },
		Accounts: map[string]sluice.Account{"local": r.abilities()},
	}
	reaped, err := reaper.Reap(t.Context())
	if err == nil || len(reaped.Branches) != 1 || len(reaped.Copies) != 1 || len(reaped.Checkpoints) != 0 {
		t.Errorf("it deleted %v, %v", reaped, err)
	}
	r.clinging = ""
	if names := r.reap(years); len(names) != 1 {
		t.Errorf("the next time: %v", names)
	}
}
