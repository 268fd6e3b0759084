package accounttest

import (
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
)

var restoring = []scenario{
	{"Restore takes back what Apply changed", nil, (*run).takeBack},
	{"Restore takes back what Scale changed", nil, (*run).takeBackScale},
	{"Restore makes an object anew that is gone", nil, (*run).makeAnew},
	{"Restore keeps what others changed", []Ability{FieldOwners}, (*run).keepTheirs},
	{"a field that others have taken over is a Conflict, once the rest is back", []Ability{FieldOwners}, (*run).takenOver},
	{"Restore keeps a field that others had set before", []Ability{FieldOwners}, (*run).theirsBefore},
	{"Restore gives the count back to who owned it", []Ability{FieldOwners}, (*run).countBack},
}

// restored restores the object and fails unless the outcome is as wanted. It expects the same of a dry run before.
func (r *run) restored(was sluice.Object, want sluice.Outcome) sluice.Object {
	r.Helper()
	for _, dryRun := range []bool{true, false} {
		now, outcome, err := r.Restore(r.ctx, was, dryRun)
		r.must(err)
		if outcome != want {
			r.Fatalf("Restore with dryRun %t is %s, want %s", dryRun, outcome, want)
		}
		if !dryRun {
			return now
		}
	}
	return nil
}

func (r *run) takeBack() {
	o := r.config("c", "{changed: '1', removed: '1', same: '1'}")
	o.Set("1", "metadata", "labels", "l")
	r.apply(o)
	was := r.get(o.Ref())
	next := r.apply(r.config("c", "{changed: '2', added: '2', same: '1'}"))
	if _, _, err := r.Restore(r.ctx, was, true); err != nil {
		r.Fatal(err)
	}
	r.same(next, "after a dry run of Restore")
	now := r.restored(was, sluice.Configured)
	for field, want := range map[string]string{"changed": "1", "removed": "1", "same": "1", "added": ""} {
		if got := now.Text("data", field); got != want {
			r.Errorf("%s is %q, want %q", field, got, want)
		}
	}
	if now.Text("metadata", "labels", "l") != "1" {
		r.Errorf("its labels are %v", now.Field("metadata", "labels"))
	}
	r.restored(was, sluice.Unchanged)
	// Sluice owns the restored fields as before: the next version removes them.
	if now := r.apply(r.config("c", "{same: '1'}")); now.Field("data", "removed") != nil {
		r.Errorf("after the next version it is %v", now["data"])
	}
}

func (r *run) takeBackScale() {
	web := r.workload("Deployment", "web", 1, Serves, 1)
	r.apply(web)
	was := r.get(web.Ref())
	r.must(r.Scale(r.ctx, web.Ref(), 2))
	if now := r.restored(was, sluice.Configured); now.Number(0, "spec", "replicas") != 1 {
		r.Errorf("it wants %v pods", now.Field("spec", "replicas"))
	}
}

func (r *run) makeAnew() {
	r.apply(r.config("c", "{a: '1'}"))
	was := r.get(r.ref("ConfigMap", "c"))
	r.must(r.Delete(r.ctx, was.Ref()))
	if _, outcome, err := r.Restore(r.ctx, was, true); err != nil || outcome != sluice.Created {
		r.Fatalf("a dry run says %s, %v", outcome, err)
	}
	_, err := r.Get(r.ctx, was.Ref())
	r.wants(err, sluice.NotFound)
	now := r.restored(was, sluice.Created)
	if now.Text("data", "a") != "1" || now.Text("metadata", "uid") == was.Text("metadata", "uid") {
		r.Errorf("it is %v", now)
	}
}

func (r *run) keepTheirs() {
	r.apply(r.config("c", "{a: '1', b: '1'}"))
	was := r.get(r.ref("ConfigMap", "c"))
	r.apply(r.config("c", "{a: '2', b: '1'}"))
	r.edit(was.Ref(), func(o sluice.Object) {
		o.Set("theirs", "data", "z")
		o.Set("theirs", "metadata", "labels", "z")
	})
	now := r.restored(was, sluice.Configured)
	if now.Text("data", "a") != "1" || now.Text("data", "z") != "theirs" ||
		now.Text("metadata", "labels", "z") != "theirs" {
		r.Errorf("it is %v", now)
	}
}

func (r *run) takenOver() {
	r.apply(r.config("c", "{a: '1', b: '1'}"))
	was := r.get(r.ref("ConfigMap", "c"))
	r.apply(r.config("c", "{a: '2', b: '2'}"))
	owner := r.edit(was.Ref(), func(o sluice.Object) { o.Set("theirs", "data", "a") })
	before := r.get(was.Ref())
	_, _, err := r.Restore(r.ctx, was, true)
	r.wants(err, sluice.Conflict, "data.a", owner)
	r.same(before, "after a dry run of Restore")
	_, _, err = r.Restore(r.ctx, was, false)
	r.wants(err, sluice.Conflict, "data.a", owner)
	if now := r.get(was.Ref()); now.Text("data", "a") != "theirs" || now.Text("data", "b") != "1" {
		r.Errorf("it is %v", now["data"])
	}
}

func (r *run) theirsBefore() {
	r.apply(r.config("c", "{a: '1'}"))
	r.edit(r.ref("ConfigMap", "c"), func(o sluice.Object) { o.Set("before", "data", "z") })
	was := r.get(r.ref("ConfigMap", "c"))
	r.apply(r.config("c", "{a: '2'}"))
	r.edit(was.Ref(), func(o sluice.Object) { o.Set("after", "data", "z") })
	if now := r.restored(was, sluice.Configured); now.Text("data", "a") != "1" || now.Text("data", "z") != "after" {
		r.Errorf("it is %v", now["data"])
	}
}

// countBack stops a workload and starts it again: the owners of its count are as before.
func (r *run) countBack() {
	web := r.workload("Deployment", "web", 2, Serves, 1)
	delete(web["spec"].(map[string]any), "replicas")
	for _, owned := range []struct {
		by   string
		take func()
	}{
		{"nobody", func() {}},
		{"Sluice", func() { web.Set(int64(2), "spec", "replicas"); r.apply(web) }},
		{"a person", func() { r.must(r.ScaleByHand(web.Ref(), 3)) }},
	} {
		r.apply(web)
		owned.take()
		was := r.get(web.Ref())
		r.must(r.Scale(r.ctx, web.Ref(), 0))
		now := r.restored(was, sluice.Configured)
		if got, want := countOwners(now), countOwners(was); got != want {
			r.Errorf("the count of %s is owned by %s, and was by %s", owned.by, got, want)
		}
		if got, want := now.Number(1, "spec", "replicas"), was.Number(1, "spec", "replicas"); got != want {
			r.Errorf("the count of %s is %d, and was %d", owned.by, got, want)
		}
	}
}

// countOwners lists who owns the count.
func countOwners(o sluice.Object) string {
	var list []string
	for _, e := range o.List("metadata", "managedFields") {
		if e.Field("fieldsV1", "f:spec", "f:replicas") != nil {
			list = append(list, e.Text("manager")+" by "+e.Text("operation")+" "+e.Text("subresource"))
		}
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}
