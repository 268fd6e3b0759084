package accounttest

import (
	"github.com/sluice-cd/sluice"
)

// snapshots skips a check if the account keeps no snapshots.
func snapshots(check func(r *run)) func(r *run) {
	return volumes(func(r *run) {
		if r.Account.Snapshots == nil {
			r.Skip("the account keeps no snapshots")
		}
		check(r)
	})
}

// keepCut keeps cuts of the claims one and two, which hold 1 and 2, and returns them when they can be read. Each claim
// is cut for itself: together they might get one snapshot.
func (r *run) keepCut(id string) (one, two sluice.Object, kept []sluice.Snapshot) {
	r.Helper()
	one, _ = r.claim("one", "1")
	two, _ = r.claim("two", "2")
	states, err := r.Account.Volumes.Describe(r.ctx, r.Namespace, []string{"one"})
	r.must(err)
	if states[0].Way != sluice.CutSnapshot {
		r.Skip("the storage of the claims takes no snapshots")
	}
	var volumes []sluice.Volume
	for _, name := range []string{"one", "two"} {
		cut, err := r.Account.Volumes.Cut(r.ctx, r.Namespace, []string{name}, "copy", lease)
		r.must(err)
		volumes = append(volumes, cut.Volumes...)
	}
	for range 2 {
		r.must(r.Account.Snapshots.Keep(r.ctx, id, volumes))
	}
	for _, name := range []string{"one", "two"} {
		r.must(r.Account.Volumes.Discard(r.ctx, r.Namespace, name, "copy"))
	}
	r.must(r.Account.Snapshots.Keep(r.ctx, id, volumes))
	kept, err = r.Account.Snapshots.Kept(r.ctx, id)
	r.must(err)
	for _, s := range kept {
		content := sluice.Ref{APIVersion: "snapshot.storage.k8s.io/v1", Kind: "VolumeSnapshotContent", Name: s.Name}
		r.await(content, "ready", func(o sluice.Object) bool { return o.Field("status", "readyToUse") == true })
	}
	kept, err = r.Account.Snapshots.Kept(r.ctx, id)
	r.must(err)
	return one, two, kept
}

func (r *run) keep() {
	id := r.Namespace + "-keep"
	one, two, kept := r.keepCut(id)
	if len(kept) != 2 || !kept[0].Ready || kept[0].Claim != "one" || kept[1].Claim != "two" || kept[0].Size == 0 {
		r.Fatalf("kept are %+v", kept)
	}
	if got, err := r.Account.Snapshots.Look(r.ctx, kept[1].Name); got != kept[1] || err != nil {
		r.Errorf("%s is %+v: %v", kept[1].Name, got, err)
	}
	v, err := r.Account.Volumes.Stage(r.ctx, one, "again", kept[0].Name)
	r.must(err)
	r.must(r.Write(v, "changed"))
	_, err = r.Account.Volumes.Use(r.ctx, one, "again")
	r.must(err)
	r.reads(one, "changed")
	v, err = r.Account.Volumes.Stage(r.ctx, two, "again", kept[1].Name)
	r.must(err)
	r.holds(v, "2")
	r.must(r.Account.Volumes.Discard(r.ctx, r.Namespace, "two", "again"))
	v, err = r.Account.Volumes.Stage(r.ctx, two, "not filled", kept[1].Name)
	r.must(err)
	r.must(r.Account.Volumes.Discard(r.ctx, r.Namespace, "two", v.Generation))
	left, err := r.Account.List(r.ctx, "snapshot.storage.k8s.io/v1", "VolumeSnapshot", r.Namespace)
	if r.must(err); len(left) > 0 {
		r.Errorf("%d snapshots are left in the namespace", len(left))
	}
	for range 2 {
		r.must(r.Account.Snapshots.Drop(r.ctx, id))
	}
}

func (r *run) dropped() {
	id := r.Namespace + "-dropped"
	one, _, kept := r.keepCut(id)
	r.must(r.Account.Snapshots.Drop(r.ctx, id))
	_, err := r.Account.Snapshots.Kept(r.ctx, id)
	r.wants(err, sluice.NotFound, id)
	_, err = r.Account.Snapshots.Look(r.ctx, kept[0].Name)
	r.wants(err, sluice.NotFound, kept[0].Name)
	_, err = r.Account.Volumes.Stage(r.ctx, one, "again", kept[0].Name)
	r.wants(err, sluice.NotFound, kept[0].Name)
	err = r.Account.Snapshots.Keep(r.ctx, id, []sluice.Volume{{Namespace: r.Namespace, Claim: "one", Generation: "copy"}})
	r.wants(err, sluice.Unsupported, "one")
}
