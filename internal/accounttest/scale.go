package accounttest

import (
	"fmt"

	"github.com/sluice-cd/sluice"
)

var scaling = []scenario{
	{"Scale changes the count and no other field", nil, (*run).scale},
	{"the count that Apply declares wins over that of Scale", nil, (*run).declaredCount},
	{"a workload that does not exist is NotFound, a kind without a count is Unsupported", nil, (*run).scaleRefused},
	{"Scale keeps the owner of the count", []Ability{FieldOwners}, (*run).countOwner},
}

func (r *run) scale() {
	for _, kind := range []string{"Deployment", "StatefulSet"} {
		web := r.workload(kind, "web", 1, Serves, 1)
		before := r.start(web)
		r.must(r.Scale(r.ctx, web.Ref(), 2))
		scaled := r.get(web.Ref())
		if scaled.Number(0, "spec", "replicas") != 2 {
			r.Fatalf("%s wants %v pods", web.Ref(), scaled.Field("spec", "replicas"))
		}
		scaled.Set(before.Field("spec", "replicas"), "spec", "replicas")
		for _, path := range [][]string{{"spec"}, {"metadata", "labels"}, {"metadata", "annotations"}} {
			if got, want := fmt.Sprint(scaled.Field(path...)), fmt.Sprint(before.Field(path...)); got != want {
				r.Errorf("%v of %s is %s, and was %s", path, web.Ref(), got, want)
			}
		}
		r.must(r.Scale(r.ctx, web.Ref(), 2))
		if now := r.settle(web.Ref()); now.Number(0, "metadata", "generation") != scaled.Number(1, "metadata", "generation") {
			r.Errorf("scaling %s to the count that it has wrote it", web.Ref())
		}
		if n := len(r.pods(web.Ref().String())); n != 2 {
			r.Errorf("%s has %d pods", web.Ref(), n)
		}
		r.must(r.Delete(r.ctx, web.Ref()))
	}
}

func (r *run) declaredCount() {
	web := r.workload("Deployment", "web", 1, Serves, 1)
	r.apply(web)
	r.must(r.Scale(r.ctx, web.Ref(), 3))
	web.Set(int64(2), "spec", "replicas")
	if now := r.expect(web, false, sluice.Configured); now.Number(0, "spec", "replicas") != 2 {
		r.Errorf("it wants %v pods", now.Field("spec", "replicas"))
	}
}

func (r *run) scaleRefused() {
	r.wants(r.Scale(r.ctx, r.ref("Deployment", "missing"), 1), sluice.NotFound, "missing")
	r.apply(r.config("c", "{a: '1'}"))
	r.wants(r.Scale(r.ctx, r.ref("ConfigMap", "c"), 1), sluice.Unsupported, "ConfigMap")
}

func (r *run) countOwner() {
	web := r.workload("Deployment", "web", 1, Serves, 1)
	r.apply(web)
	r.must(r.ScaleByHand(web.Ref(), 2))
	for _, n := range []int{0, 2, 2} {
		r.must(r.Scale(r.ctx, web.Ref(), n))
	}
	web.Set("2", "metadata", "labels", "release")
	if now := r.expect(web, false, sluice.Configured); now.Number(0, "spec", "replicas") != 2 {
		r.Errorf("after Scale on their behalf, applying scaled it to %v", now.Field("spec", "replicas"))
	}
}

var deleting = []scenario{
	{"Delete returns when the object is gone, with its pods", nil, (*run).delete},
	{"deleting an object that does not exist succeeds", nil,
		func(r *run) { r.must(r.Delete(r.ctx, r.ref("ConfigMap", "missing"))) }},
	{"a deleted object can be made again", nil, (*run).again},
}

func (r *run) delete() {
	for _, kind := range []string{"Deployment", "StatefulSet"} {
		web := r.workload(kind, "web", 2, Serves, 1)
		r.start(web)
		r.must(r.Delete(r.ctx, web.Ref()))
		if pods := r.pods(web.Ref().String()); len(pods) > 0 {
			r.Errorf("of %s there is left: %+v", web.Ref(), pods)
		}
		_, err := r.Get(r.ctx, web.Ref())
		r.wants(err, sluice.NotFound)
	}
}

func (r *run) again() {
	for range 3 {
		r.expect(r.config("c", "{a: '1'}"), false, sluice.Created)
		r.must(r.Delete(r.ctx, r.ref("ConfigMap", "c")))
	}
}
