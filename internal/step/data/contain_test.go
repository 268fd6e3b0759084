package data_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

// scratchOf takes a checkpoint of prod and returns what is in the scratch while the copy is open there.
func scratchOf(t *testing.T, w *world) map[string]sluice.Object {
	t.Helper()
	found := map[string]sluice.Object{}
	w.traffic = func(namespace, _ string) {
		for ref, o := range w.objects {
			if ref.Namespace == namespace || ref.Kind == "Namespace" && ref.Name == namespace {
				found[ref.String()] = o.Clone()
				found[ref.Kind] = found[ref.String()]
			}
		}
	}
	must(t, w.step("d1", "prod", checkpointing(0), nil))
	return found
}

// exposed returns a world whose database is reachable from outside, with credentials of the cluster.
func exposed(t *testing.T) *world {
	w := newWorld(t)
	w.cluster = true
	w.deploy("prod", "db:1", abc())
	set := w.objects[mongoRef("prod")].Clone()
	set.Set("operator", "spec", "template", "spec", "serviceAccountName")
	set.Set(true, "spec", "template", "spec", "hostNetwork")
	set.Set([]any{map[string]any{"name": "login"}}, "spec", "template", "spec", "imagePullSecrets")
	service := w.objects[sluice.Ref{APIVersion: "v1", Kind: "Service", Namespace: "prod", Name: "mongo"}].Clone()
	service.Set("LoadBalancer", "spec", "type")
	for _, o := range []sluice.Object{set, service} {
		if err := w.store(o); err != nil {
			t.Fatal(err)
		}
	}
	w.order = nil
	return w
}

// A copy of production has walls before it has anything else.
func TestAScratchIsContainedBeforeItHoldsAnything(t *testing.T) {
	w := exposed(t)
	scratchOf(t, w)
	var kinds []string
	for _, ref := range w.order {
		if strings.Contains(ref.Namespace+ref.Name, "-sluice-") {
			kinds = append(kinds, ref.String())
		}
	}
	want := []string{"NetworkPolicy/sluice-isolation", "NetworkPolicy/sluice-passage", "ResourceQuota/sluice-limits",
		"Job/sluice-expiry", "PersistentVolumeClaim/mongo-data"}
	if diff := cmp.Diff(want, kinds[1:6]); diff != "" {
		t.Errorf("the order of what is created:\n%s", diff)
	}
}

func TestWhatRunsInAScratchReachesNothingElse(t *testing.T) {
	found := scratchOf(t, exposed(t))
	pod := sluice.Object(found["StatefulSet"].Field("spec", "template", "spec").(map[string]any))
	if pod["automountServiceAccountToken"] != false || pod["serviceAccountName"] != nil || pod["hostNetwork"] != nil {
		t.Errorf("the pods are %v", pod)
	}
	if kind := found["Service/mongo"].Text("spec", "type"); kind != "ClusterIP" {
		t.Errorf("the Service is a %s", kind)
	}
	isolation := found["NetworkPolicy/sluice-isolation"]
	inside := []any{map[string]any{"podSelector": map[string]any{}}}
	if diff := cmp.Diff([]any{map[string]any{"from": inside}}, isolation.Field("spec", "ingress")); diff != "" {
		t.Errorf("what may come in:\n%s", diff)
	}
	egress := isolation.List("spec", "egress")
	if len(egress) != 2 || !cmp.Equal(egress[0]["to"], any(inside)) || len(egress[1].List("ports")) != 4 {
		t.Errorf("what may go out: %v", egress)
	}
	if hard := found["ResourceQuota"]; hard.Text("spec", "hard", "services.loadbalancers") != "0" ||
		hard.Text("spec", "hard", "pods") == "" {
		t.Errorf("the quota is %v", hard)
	}
}

// The namespace says whose copy it holds and until when, and the cluster itself deletes what is in it.
func TestAScratchExpiresWithoutSluice(t *testing.T) {
	w := exposed(t)
	found := scratchOf(t, w)
	namespace := found["Namespace"]
	at, err := time.Parse(time.RFC3339, namespace.Text("metadata", "annotations", sluice.CopyExpires))
	if err != nil || !at.Equal(w.now.Add(24*time.Hour)) || namespace.Text("metadata", "labels", sluice.CopyLabel) == "" {
		t.Errorf("the namespace is %v, %v", namespace, err)
	}
	job := found["Job"]
	if job.Number(0, "spec", "activeDeadlineSeconds") != 24*60*60 || job.Number(-1, "spec", "parallelism") != 0 ||
		job.Number(-1, "spec", "ttlSecondsAfterFinished") != 0 {
		t.Errorf("the Job is %v", job)
	}
	all := []string{"StatefulSet/mongo", "PersistentVolumeClaim/mongo-data", "Secret/login", "Service/mongo"}
	for _, name := range all {
		owned := slices.ContainsFunc(found[name].List("metadata", "ownerReferences"), func(o sluice.Object) bool {
			return o.Text("uid") == "uid of sluice-expiry"
		})
		if !owned {
			t.Errorf("%s outlives the Job: %v", name, found[name])
		}
	}
}

// What goes wrong in a copy is said of the copy, and does not look like trouble with production.
func TestErrorsOfACopyNameTheCopy(t *testing.T) {
	w := exposed(t)
	w.traffic = func(namespace, _ string) { w.live(namespace)["broken"] = "yes" }
	_, err := begin(t, w.step("d1", "prod", checkpointing(0), nil))
	if err == nil || !strings.Contains(err.Error(), "the copy of orders of prod: ") ||
		!strings.Contains(err.Error(), "connect to mongo:27017") || strings.Contains(err.Error(), "mongo.prod") {
		t.Errorf("the error is %v", err)
	}
}
