package accounttest

import (
	"slices"

	"github.com/sluice-cd/sluice"
)

var owning = []scenario{
	{"equal values of another application are shared", []Ability{FieldOwners}, (*run).shared},
	{"a change of what another application applied is a Conflict", []Ability{FieldOwners}, (*run).foreign},
	{"what another application applied too is not deleted", []Ability{FieldOwners}, (*run).foreignDelete},
	{"what was applied for nobody becomes the application's", []Ability{FieldOwners}, (*run).migrated},
	{"fields of managers in TakeOver are taken, and given back", []Ability{FieldOwners}, (*run).takesOver},
	{"equal fields of managers in TakeOver are taken", []Ability{FieldOwners}, (*run).takesOverEqual},
}

// as returns the run with writers for the application.
func (r *run) as(application string, takeOver ...string) *run {
	other := *r
	w := sluice.Writing{Application: application, TakeOver: takeOver}
	other.ClusterWriter, _ = r.Writers.For(w)
	return &other
}

// owned fails unless the managers own fields of the object, and no others do.
func (r *run) owned(ref sluice.Ref, want ...string) {
	r.Helper()
	var got []string
	for _, e := range r.get(ref).List("metadata", "managedFields") {
		got = append(got, e.Text("manager"))
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		r.Errorf("it belongs to %v, want %v", got, want)
	}
}

func (r *run) shared() {
	config := r.config("c", "{a: '1'}")
	r.as("shop").apply(config)
	blog := r.as("blog")
	blog.expect(config, true, sluice.Configured)
	blog.expect(config, false, sluice.Configured)
	blog.expect(config, false, sluice.Unchanged)
	r.owned(config.Ref(), "sluice:blog", "sluice:shop")
}

func (r *run) foreign() {
	r.as("shop").apply(r.config("c", "{a: '1'}"))
	before := r.get(r.ref("ConfigMap", "c"))
	for _, data := range []string{"{a: '2'}", "{b: '1'}"} {
		for _, dryRun := range []bool{true, false} {
			_, _, err := r.as("blog").Apply(r.ctx, r.config("c", data), dryRun)
			r.wants(err, sluice.Conflict, "application shop")
			r.same(before, "after a conflict")
		}
	}
	r.as("blog", "sluice:shop").apply(r.config("c", "{a: '2'}"))
	r.owned(before.Ref(), "sluice:blog")
}

func (r *run) foreignDelete() {
	config := r.config("c", "{a: '1'}")
	r.as("shop").apply(config)
	r.as("blog").apply(config)
	r.wants(r.as("blog").Delete(r.ctx, config.Ref()), sluice.Conflict, "application shop")
	r.get(config.Ref())
}

func (r *run) migrated() {
	r.apply(r.config("c", "{a: '1', old: '1'}"))
	shop, next := r.as("shop"), r.config("c", "{a: '2'}")
	for _, dryRun := range []bool{true, false} {
		if now := shop.expect(next, dryRun, sluice.Configured); now.Field("data", "old") != nil {
			r.Errorf("a field that is no longer declared is left: %v", now["data"])
		}
	}
	r.owned(next.Ref(), "sluice:shop")
}

func (r *run) takesOver() {
	shop := r.as("shop")
	shop.apply(r.config("c", "{a: '1', b: '1'}"))
	owner := r.edit(r.ref("ConfigMap", "c"), func(o sluice.Object) { o.Set("theirs", "data", "a") })
	was := r.get(r.ref("ConfigMap", "c"))
	_, _, err := shop.Apply(r.ctx, r.config("c", "{a: '2', b: '2'}"), false)
	r.wants(err, sluice.Conflict, owner)
	taking := r.as("shop", owner)
	taking.expect(r.config("c", "{a: '2', b: '2'}"), true, sluice.Configured)
	taking.expect(r.config("c", "{a: '2', b: '2'}"), false, sluice.Configured)
	r.owned(was.Ref(), "sluice:shop")
	if now := taking.restored(was, sluice.Configured); now.Text("data", "a") != "theirs" || now.Text("data", "b") != "1" {
		r.Errorf("it is %v", now["data"])
	}
	taking.restored(was, sluice.Unchanged)
	_, _, err = shop.Apply(r.ctx, r.config("c", "{a: '2', b: '2'}"), true)
	r.wants(err, sluice.Conflict, "data.a", owner)
}

func (r *run) takesOverEqual() {
	shop := r.as("shop")
	shop.apply(r.config("c", "{a: '1'}"))
	owner := r.edit(r.ref("ConfigMap", "c"), func(o sluice.Object) { o.Set("2", "data", "a") })
	r.as("shop", owner).expect(r.config("c", "{a: '2'}"), false, sluice.Configured)
	shop.apply(r.config("c", "{a: '3'}"))
}
