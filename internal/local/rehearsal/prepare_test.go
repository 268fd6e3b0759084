package rehearsal_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local/kind"
	"github.com/sluice-cd/sluice/internal/local/rehearsal"
	"github.com/sluice-cd/sluice/internal/local/standin"
)

func object(t *testing.T, text string) sluice.Object {
	t.Helper()
	var o sluice.Object
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

const deployment = `{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
	"spec": {
	"selector": {"matchLabels": {"app": "web"}},
	"template": {"metadata": {"labels": {"app": "web"}}, "spec": {
		"hostNetwork": true,
		"containers": [
			{"name": "web", "image": "web:1", "command": ["web"], "args": ["--cost", "$5"], "ports": [{"containerPort": 80}],
			 "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}, {"name": "B", "value": "b"}],
			 "readinessProbe": {"exec": {"command": ["ready"]}}},
			{"name": "side", "image": "side:1", "securityContext": {"privileged": true}}]}}}}`

const service = `{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"},
	"spec": {"clusterIP": "10.0.0.7", "selector": {"app": "web"}, "ports": [{"port": 443, "targetPort": 8443}]}}`

func plan(objects ...sluice.Object) *sluice.Plan {
	return &sluice.Plan{
		Application: "shop", Digest: "d",
		Targets: []sluice.PlannedTarget{{Name: "production", Account: "cluster", Namespace: "shop"}},
		Steps: []sluice.PlannedStep{step("apply",
			sluice.StepSpec{Kind: sluice.KindApply, Apply: &sluice.Apply{Objects: objects}})},
	}
}

func step(path string, s sluice.StepSpec) sluice.PlannedStep {
	return sluice.PlannedStep{ID: sluice.StepID("production/" + path), Target: "production", StepSpec: s}
}

func options() rehearsal.Options {
	return rehearsal.Options{
		Images:  func(string) map[string]string { return map[string]string{"side:1": "bin/side"} },
		MayBind: func(port int) bool { return port > 1023 },
	}
}

func prepare(t *testing.T, p *sluice.Plan, o rehearsal.Options) *sluice.Plan {
	t.Helper()
	prepared, err := rehearsal.Prepare(p, o)
	if err != nil {
		t.Fatal(err)
	}
	return prepared
}

func TestWhatIsNotHereIsStoodInFor(t *testing.T) {
	p := plan(object(t, deployment), object(t, service))
	untouched, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	got := prepare(t, p, options())
	if again, _ := json.Marshal(p); string(again) != string(untouched) {
		t.Error("the plan that was given has changed")
	}
	web := got.Steps[0].Apply.Objects[0]
	for _, o := range got.Steps[0].Apply.Objects {
		if _, err := kind.Decode(o); err != nil {
			t.Errorf("the local account refuses %s: %v", o.Ref(), err)
		}
	}
	containers := web.Field("spec", "template", "spec", "containers").([]any)
	first, second := sluice.Object(containers[0].(map[string]any)), sluice.Object(containers[1].(map[string]any))
	if first.Text("image") != "stand-in/web:1" || second.Text("image") != "side:1" {
		t.Errorf("images %s and %s", first.Text("image"), second.Text("image"))
	}
	var spec standin.Spec
	env := first["env"].([]any)
	if err := json.Unmarshal([]byte(strings.ReplaceAll(sluice.Object(env[0].(map[string]any)).Text("value"), "$$", "$")),
		&spec); err != nil {
		t.Fatal(err)
	}
	want := standin.Spec{Image: "web:1", Command: []string{"web"}, Args: []string{"--cost", "$5"},
		Ports: []int{20080, 8443}}
	if diff := cmp.Diff(want, spec); diff != "" {
		t.Error(diff)
	}
	if v := sluice.Object(env[1].(map[string]any)).Field("valueFrom", "secretKeyRef", "optional"); len(env) != 2 ||
		v != true {
		t.Errorf("environment %v", env)
	}
	ports := got.Steps[0].Apply.Objects[1].Field("spec", "ports").([]any)[0].(map[string]any)
	if ports["port"] != int64(20443) || ports["targetPort"] != int64(8443) ||
		got.Steps[0].Apply.Objects[1].Text("spec", "clusterIP") != "" {
		t.Errorf("service %v", got.Steps[0].Apply.Objects[1])
	}
	says(t, got, "image web:1: a stand-in that answers on 80, 8443", "port 80: 20080, only root may use ports that low",
		"port 443: 20443, only root may use ports that low", "account cluster: a local account on this machine")
	if diff := cmp.Diff(map[string][]string{"cluster": {"stand-in/web:1"}}, got.Rehearsal.Images); diff != "" {
		t.Error(diff)
	}
}

// says fails unless the rehearsal lists every text.
func says(t *testing.T, p *sluice.Plan, texts ...string) {
	t.Helper()
	all := map[string]bool{}
	for _, s := range p.Rehearsal.Stands {
		all[s.What+": "+s.Instead] = true
	}
	for _, text := range texts {
		if !all[text] {
			t.Errorf("%q is not among what was rehearsed: %v", text, all)
		}
	}
}

func TestAChangeOfWhatIsLeftOutIsAChangeOfVersion(t *testing.T) {
	before, after := object(t, deployment), object(t, deployment)
	after.Set([]any{map[string]any{"name": "init", "image": "init:2"}}, "spec", "template", "spec", "initContainers")
	first, second := prepare(t, plan(before), options()), prepare(t, plan(after), options())
	same := prepare(t, plan(object(t, deployment)), options())
	template := func(p *sluice.Plan) any { return p.Steps[0].Apply.Objects[0].Field("spec", "template") }
	if cmp.Equal(template(first), template(second)) {
		t.Error("another init container is no other version")
	}
	if diff := cmp.Diff(template(first), template(same)); diff != "" {
		t.Errorf("the same manifest is another version: %s", diff)
	}
}

func TestInitContainersRunIfTheirImageHasAProgram(t *testing.T) {
	web := object(t, deployment)
	web.Set([]any{map[string]any{"name": "init", "image": "init:1"}, map[string]any{"name": "proxy", "image": "side:1"}},
		"spec", "template", "spec", "initContainers")
	p := prepare(t, plan(web), options())
	says(t, p, "image init:1: left out: it is of the init container init")
	kept := p.Steps[0].Apply.Objects[0].List("spec", "template", "spec", "initContainers")
	if len(kept) != 1 || kept[0].Text("name") != "proxy" {
		t.Errorf("the init containers are %v", kept)
	}
}

func TestAnswersOfQueries(t *testing.T) {
	bound := func(v float64) *float64 { return &v }
	query := func(q sluice.Query) *sluice.Plan {
		q.Name, q.Provider = "q", "prom"
		p := plan()
		p.Steps = []sluice.PlannedStep{step("canary/0", sluice.StepSpec{Kind: sluice.KindAnalysis,
			Analysis: &sluice.Analysis{Interval: time.Hour, Resolved: []sluice.Query{q}}})}
		return p
	}
	for name, test := range map[string]struct {
		query     sluice.Query
		given     map[string]string
		providers map[string]bool
		want      *float64
		real      bool
	}{
		"both limits":      {query: sluice.Query{Lower: bound(2), Upper: bound(3)}, want: bound(2)},
		"upper below zero": {query: sluice.Query{Upper: bound(-4)}, want: bound(-4)},
		"around zero":      {query: sluice.Query{Lower: bound(-1), Upper: bound(1)}, want: bound(0)},
		"given":            {query: sluice.Query{Upper: bound(1)}, given: map[string]string{"q": "7.5"}, want: bound(7.5)},
		"no data":          {query: sluice.Query{Upper: bound(1)}, given: map[string]string{"q": "none"}},
		"a provider":       {query: sluice.Query{Upper: bound(1)}, providers: map[string]bool{"prom": true}, real: true},
		"given all the same": {query: sluice.Query{Upper: bound(1)}, providers: map[string]bool{"prom": true},
			given: map[string]string{"q": "1"}, want: bound(1)},
	} {
		t.Run(name, func(t *testing.T) {
			o := options()
			o.Metrics, o.Providers, o.MaxWait = test.given, test.providers, time.Second
			p := prepare(t, query(test.query), o)
			a := p.Steps[0].Analysis
			got, answered := p.Rehearsal.Metrics["q"]
			if answered == test.real || !cmp.Equal(test.want, got) {
				t.Errorf("answered %v with %v", answered, got)
			}
			if (a.Resolved[0].Provider == "prom") != test.real || a.Interval != time.Second {
				t.Errorf("analysis %+v", a)
			}
		})
	}
}

func TestOptionsThatNameNothingAreRefused(t *testing.T) {
	for name, change := range map[string]func(*rehearsal.Options){
		"webhook": func(o *rehearsal.Options) { o.Webhooks = map[string]string{"x": "fail"} },
		"metric":  func(o *rehearsal.Options) { o.Metrics = map[string]string{"x": "1"} },
		"job":     func(o *rehearsal.Options) { o.Jobs = map[string]string{"x": "fail"} },
	} {
		o := options()
		change(&o)
		if _, err := rehearsal.Prepare(plan(), o); sluice.ErrorCode(err) != sluice.Invalid || sluice.ErrorHint(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDirNameNeverLeavesItsDirectory(t *testing.T) {
	for account, same := range map[string]bool{"cluster-01": true, "..": false, "a/b": false, "": false, ".hidden": false,
		"with space": false, strings.Repeat("a", 64): false} {
		if got := rehearsal.DirName(account); (got == account) != same || strings.ContainsAny(got, "/ ") ||
			strings.HasPrefix(got, ".") {
			t.Errorf("%q is kept in %q", account, got)
		}
	}
}
