package accounttest

import (
	"fmt"
	"strings"

	"github.com/sluice-cd/sluice"
)

var applying = []scenario{
	{"Apply creates, configures, or leaves an object unchanged", nil, (*run).outcomes},
	{"a dry run changes nothing and says the same", nil, (*run).dryRun},
	{"Apply removes the fields that the object no longer has", nil, (*run).removed},
	{"Apply does not change what it is given", nil, (*run).untouched},
	{"a workload as read back is unchanged", nil, (*run).readBack},
	{"a strategy can exclude what the account filled in", nil, (*run).strategy},
	{"a field that cannot be changed is Invalid and named", nil, (*run).immutable},
	{"a field that the kind does not have is Invalid and named", []Ability{Schemas}, (*run).unknownField},
	{"fields of others stay", []Ability{FieldOwners}, (*run).fieldsOfOthers},
	{"a field that somebody else set to another value is a Conflict", []Ability{FieldOwners}, (*run).conflict},
	{"a field that somebody else set to the same value is not a Conflict", []Ability{FieldOwners}, (*run).agreement},
	{"a count that was scaled by hand stays", []Ability{FieldOwners}, (*run).handScaled},
}

func (r *run) outcomes() {
	r.expect(r.config("c", "{a: '1', old: '2'}"), false, sluice.Created)
	first := r.get(r.ref("ConfigMap", "c"))
	again := r.expect(r.config("c", "{a: '1', old: '2'}"), false, sluice.Unchanged)
	if again.Text("metadata", "resourceVersion") != first.Text("metadata", "resourceVersion") {
		r.Error("an unchanged object was written")
	}
	now := r.expect(r.config("c", "{a: '2', old: '2'}"), false, sluice.Configured)
	if now.Text("data", "a") != "2" || r.get(now.Ref()).Text("data", "a") != "2" {
		r.Errorf("it is %v", now)
	}
	if now.Text("metadata", "uid") == "" || now.Text("metadata", "uid") != first.Text("metadata", "uid") {
		r.Errorf("its uid is %q, and was %q", now.Text("metadata", "uid"), first.Text("metadata", "uid"))
	}
}

func (r *run) dryRun() {
	config := r.config("c", "{a: '1'}")
	r.expect(config, true, sluice.Created)
	_, err := r.Get(r.ctx, config.Ref())
	r.wants(err, sluice.NotFound)
	r.expect(config, false, sluice.Created)
	before := r.get(config.Ref())
	r.expect(config, true, sluice.Unchanged)
	preview := r.expect(r.config("c", "{b: '2'}"), true, sluice.Configured)
	if preview.Text("data", "b") != "2" || preview.Field("data", "a") != nil {
		r.Errorf("the preview is %v", preview)
	}
	r.same(before, "after a dry run")
}

func (r *run) removed() {
	o := r.config("c", "{a: '1', old: '2'}")
	o.Set("1", "metadata", "labels", "old")
	r.apply(o)
	now := r.expect(r.config("c", "{a: '1'}"), false, sluice.Configured)
	if now.Field("data", "old") != nil || now.Field("metadata", "labels", "old") != nil || now.Text("data", "a") != "1" {
		r.Errorf("it is %v", now)
	}
	r.expect(r.config("c", "{a: '1'}"), false, sluice.Unchanged)
}

// An account may fill in the parameters of a rolling update, which other types of a strategy do not allow.
func (r *run) strategy() {
	for kind, strategy := range map[string][2]string{
		"StatefulSet": {"updateStrategy", "OnDelete"}, "Deployment": {"strategy", "Recreate"},
	} {
		field, alone := strategy[0], strategy[1]
		isAlone := func(o sluice.Object) {
			if o.Text("spec", field, "type") != alone || o.Field("spec", field, "rollingUpdate") != nil {
				r.Errorf("the strategy of the %s is %v", kind, o.Field("spec", field))
			}
		}
		declared := r.workload(kind, strings.ToLower(kind), 1, Serves, 1)
		delete(declared["spec"].(map[string]any), field)
		r.apply(declared)
		changed := declared.Clone()
		changed.Set(map[string]any{"type": alone}, "spec", field)
		isAlone(r.expect(changed, true, sluice.Configured))
		isAlone(r.expect(changed, false, sluice.Configured))
		r.expect(changed, false, sluice.Unchanged)
		before := r.get(changed.Ref())
		if now := r.expect(declared, false, sluice.Configured); now.Text("spec", field, "type") == alone {
			r.Errorf("the strategy of the %s stays %s", kind, alone)
		}
		isAlone(r.restored(before, sluice.Configured))
	}
}

func (r *run) untouched() {
	web := r.workload("Deployment", "web", 0, Serves, 1)
	was := fmt.Sprint(web)
	got := r.apply(web)
	got.Set("changed", "metadata", "labels", "x")
	if fmt.Sprint(web) != was {
		r.Errorf("it is %v, and was %s", web, was)
	}
	if r.get(web.Ref()).Field("metadata", "labels", "x") != nil {
		r.Error("changing what Apply returned changes the object")
	}
}

func (r *run) readBack() {
	for _, kind := range []string{"Deployment", "StatefulSet"} {
		web := r.workload(kind, "web", 1, Serves, 1)
		before := r.start(web)
		after := r.expect(web, false, sluice.Unchanged)
		if before.Number(0, "metadata", "generation") != after.Number(1, "metadata", "generation") {
			r.Errorf("the spec of %s was written", web.Ref())
		}
	}
}

func (r *run) immutable() {
	job := r.read("{apiVersion: batch/v1, kind: Job, metadata: {name: job}, spec: {suspend: true, template: {spec: " +
		"{restartPolicy: Never}}}}")
	job.Set([]any{r.Container(Speaks, 1)}, "spec", "template", "spec", "containers")
	set := r.workload("StatefulSet", "set", 0, Serves, 1)
	for _, o := range []sluice.Object{job, set} {
		r.apply(o)
		before := r.get(o.Ref())
		changed := o.Clone()
		if changed.Set("other", "spec", "serviceName"); o.Ref().Kind == "Job" {
			changed = o.Clone()
			changed.Set([]any{r.Container(Speaks, 2)}, "spec", "template", "spec", "containers")
		}
		_, _, err := r.Apply(r.ctx, changed, false)
		r.wants(err, sluice.Invalid, "spec")
		r.same(before, "after a refused change")
	}
}

func (r *run) unknownField() {
	web := r.workload("Deployment", "web", 0, Serves, 1)
	web.Set(int64(3), "spec", "replicsa")
	for _, dryRun := range []bool{true, false} {
		_, _, err := r.Apply(r.ctx, web, dryRun)
		r.wants(err, sluice.Invalid, "replicsa")
	}
	_, err := r.Get(r.ctx, web.Ref())
	r.wants(err, sluice.NotFound)
}

func (r *run) fieldsOfOthers() {
	config := r.config("c", "{a: '1', old: '2'}")
	r.apply(config)
	r.edit(config.Ref(), func(o sluice.Object) { o.Set("theirs", "data", "z") })
	r.expect(config, false, sluice.Unchanged)
	now := r.expect(r.config("c", "{a: '2'}"), false, sluice.Configured)
	if now.Field("data", "old") != nil || now.Text("data", "z") != "theirs" || now.Text("data", "a") != "2" {
		r.Errorf("it is %v", now["data"])
	}
}

func (r *run) conflict() {
	config := r.config("c", "{a: '1', b: '1'}")
	r.apply(config)
	owner := r.edit(config.Ref(), func(o sluice.Object) { o.Set("theirs", "data", "a") })
	before := r.get(config.Ref())
	for _, dryRun := range []bool{true, false} {
		_, _, err := r.Apply(r.ctx, r.config("c", "{a: '2', b: '2'}"), dryRun)
		r.wants(err, sluice.Conflict, "data.a", owner)
		r.same(before, "after a conflict")
	}
	if now := r.expect(r.config("c", "{b: '2'}"), false, sluice.Configured); now.Text("data", "a") != "theirs" {
		r.Errorf("a field that is left to them is %v", now["data"])
	}
}

func (r *run) agreement() {
	config := r.config("c", "{a: '1'}")
	r.apply(config)
	r.edit(config.Ref(), func(o sluice.Object) { o.Set("2", "data", "a") })
	r.apply(r.config("c", "{a: '2'}"))
	if now := r.apply(r.config("c", "{}")); now.Text("data", "a") != "2" {
		r.Errorf("a field that both set is %v after Sluice left it out", now["data"])
	}
}

func (r *run) handScaled() {
	web := r.workload("Deployment", "web", 1, Serves, 1)
	r.apply(web)
	r.must(r.ScaleByHand(web.Ref(), 2))
	for i, want := range []int{2, 2, 0} {
		if want == 0 {
			r.must(r.ScaleByHand(web.Ref(), 0))
		}
		web.Set(fmt.Sprint(i), "metadata", "labels", "release")
		if now := r.expect(web, false, sluice.Configured); now.Number(1, "spec", "replicas") != want {
			r.Fatalf("apply %d scaled it to %v", i, now.Field("spec", "replicas"))
		}
		r.expect(web, false, sluice.Unchanged)
	}
}
