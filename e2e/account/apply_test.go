package account_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
)

// Every kind of list, default and quantity in a workload is found to be so without a write.
func TestApplyWorkloadUnchanged(t *testing.T) {
	w := newWorld(t)
	web := w.deployment(0, "minReadySeconds: 1", ", env: [{name: A, value: b}], args: [x], "+
		"ports: [{containerPort: 80}, {containerPort: 80, protocol: UDP}], "+
		"resources: {limits: {cpu: 1000m, memory: 64Mi}}, volumeMounts: [{name: v, mountPath: /v}]")
	web.Set([]any{map[string]any{"name": "v", "emptyDir": map[string]any{}}}, "spec", "template", "spec", "volumes")
	before := w.apply(web, sluice.Created)
	after := w.apply(web, sluice.Unchanged)
	if before.Number(0, "metadata", "generation") != after.Number(1, "metadata", "generation") {
		t.Error("its spec was written")
	}
	service := w.read("{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}, ports: " +
		"[{port: 80, targetPort: 8080, name: http}]}}")
	w.apply(service, sluice.Created)
	w.apply(service, sluice.Unchanged)
	secret := w.read("{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {a: hunter2}}")
	w.apply(secret, sluice.Created)
	w.apply(secret, sluice.Unchanged)
	secret.Set("hunter3", "stringData", "a")
	w.apply(secret, sluice.Configured)
}

func TestApplyConflict(t *testing.T) {
	w := newWorld(t)
	web := w.deployment(0, "minReadySeconds: 1", "")
	w.apply(web, sluice.Created)
	w.other("kubectl-edit", "deployments", "web", `{"spec":{"minReadySeconds":5}}`)
	w.refuses(web, sluice.Conflict, ".spec.minReadySeconds", "kubectl-edit")
	if _, _, err := w.Apply(t.Context(), web, true); sluice.ErrorCode(err) != sluice.Conflict {
		t.Errorf("the preview says %v", err)
	}
	w.other("sluice-traffic", "deployments", "web", `{"spec":{"minReadySeconds":7}}`)
	if now := w.apply(web, sluice.Configured); now.Number(0, "spec", "minReadySeconds") != 1 {
		t.Errorf("it is %v", now["spec"])
	}
}

func TestTakeOverFromKubectl(t *testing.T) {
	w := newWorld(t)
	theirs := w.deployment(0, "minReadySeconds: 1", "")
	theirs.Set("x", "metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration")
	theirs.Set("x", "metadata", "labels", "old")
	w.create("kubectl-client-side-apply", "deployments", theirs)
	ours := w.deployment(0, "minReadySeconds: 2", "")
	if now, outcome, err := w.Apply(t.Context(), ours, true); err != nil || outcome != sluice.Configured ||
		now.Number(0, "spec", "minReadySeconds") != 2 {
		t.Fatalf("preview: %s, %v", outcome, err)
	}
	now := w.apply(ours, sluice.Configured)
	if now.Number(0, "spec", "minReadySeconds") != 2 || now.Field("metadata", "labels", "old") != nil ||
		now.Field("metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration") != nil {
		t.Errorf("it is %v", now["metadata"])
	}
	w.apply(ours, sluice.Unchanged)
	w.other("kubectl-client-side-apply", "deployments", "web", `{"spec":{"minReadySeconds":9}}`)
	w.refuses(ours, sluice.Conflict, "minReadySeconds", "kubectl-client-side-apply")
}

func TestApplyRefused(t *testing.T) {
	w := newWorld(t)
	w.refuses(w.read("{apiVersion: example.com/v1, kind: Nothing, metadata: {name: a}}"), sluice.Unsupported, "Nothing",
		"example.com/v1")
	w.refuses(w.deployment(1, "replicsa: 3", ""), sluice.Invalid, "replicsa")
	w.refuses(w.deployment(-1, "", ""), sluice.Invalid, "spec.replicas")
	w.refuses(w.read("{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {a: hunter2}}"), sluice.Invalid)
	bad := w.read("{apiVersion: v1, kind: Secret, metadata: {name: s}, type: kubernetes.io/tls, " +
		"data: {tls.crt: aHVudGVyMg==}}")
	_, _, err := w.Apply(t.Context(), bad, false)
	if err == nil || strings.Contains(err.Error(), "aHVudGVyMg") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a bad Secret: %v", err)
	}
	set := w.read(`
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 0
  serviceName: db
  selector: {matchLabels: {app: db}}
  template: {metadata: {labels: {app: db}}, spec: {containers: [{name: db, image: %q}]}}`, pause)
	w.apply(set, sluice.Created)
	set.Set("other", "spec", "serviceName")
	w.refuses(set, sluice.Invalid, "spec", "statefulset")
	job := w.read("{apiVersion: batch/v1, kind: Job, metadata: {name: j}, spec: {suspend: true, template: {spec: "+
		"{restartPolicy: Never, containers: [{name: j, image: %q}]}}}}", pause)
	w.apply(job, sluice.Created)
	job.Set([]any{map[string]any{"name": "j", "image": "other"}}, "spec", "template", "spec", "containers")
	w.refuses(job, sluice.Invalid, "spec.template", "immutable")
	elsewhere := w.read("{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}")
	elsewhere.Set(w.namespace+"-none", "metadata", "namespace")
	_, _, err = w.Apply(t.Context(), elsewhere, true)
	w.wants(err, sluice.NotFound, w.namespace+"-none")
}

// A definition and an object of its kind are applied one right after the other.
func TestDefinitionAndObject(t *testing.T) {
	w := newWorld(t)
	definition := w.read(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gizmos.account.example.com}
spec:
  group: account.example.com
  scope: Namespaced
  names: {kind: Gizmo, plural: gizmos, singular: gizmo}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}}
`)
	gizmo := w.read("{apiVersion: account.example.com/v1, kind: Gizmo, metadata: {name: g}, spec: {size: 1}}")
	if list, err := w.List(t.Context(), "account.example.com/v1", "Gizmo", w.namespace); err != nil || list != nil {
		t.Fatalf("of a kind that is not known there are %v, %v", list, err)
	}
	t.Cleanup(func() {
		if err := w.Delete(w.lasting(), definition.Ref()); err != nil {
			t.Error(err)
		}
	})
	w.apply(definition, sluice.Created)
	w.apply(gizmo, sluice.Created)
	w.apply(gizmo, sluice.Unchanged)
	bad := gizmo.Clone()
	bad.Set("1", "spec", "colour")
	w.refuses(bad, sluice.Invalid, "colour")
	if list, err := w.List(t.Context(), "account.example.com/v1", "Gizmo", w.namespace); err != nil || len(list) != 1 {
		t.Errorf("listed %v, %v", list, err)
	}
	must(t, w.Delete(t.Context(), definition.Ref()))
	if _, err := w.Get(t.Context(), gizmo.Ref()); err == nil {
		t.Error("it outlives its definition")
	}
}

func TestListInPages(t *testing.T) {
	w := newWorld(t)
	const count = 520
	for i := range count {
		w.create("them", "configmaps", w.read("{apiVersion: v1, kind: ConfigMap, metadata: {name: c%03d}}", i))
	}
	list, err := w.List(t.Context(), "v1", "ConfigMap", w.namespace)
	must(t, err)
	if len(list) != count+1 || list[0].Ref() != w.ref("v1", "ConfigMap", "c000") { // and kube-root-ca.crt
		t.Errorf("%d objects, the first %v", len(list), list[0].Ref())
	}
}

// The client's own limit of five requests a second is off.
func TestNoThrottle(t *testing.T) {
	w := newWorld(t)
	began := time.Now()
	for range 200 {
		if _, err := w.Get(t.Context(), w.ref("v1", "ConfigMap", "none")); sluice.ErrorCode(err) != sluice.NotFound {
			t.Fatal(err)
		}
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("200 requests took %s", took)
	}
}

func TestDenied(t *testing.T) {
	w := newWorld(t)
	a := w.as("account-nobody")
	_, err := a.Get(t.Context(), w.web())
	w.wants(err, sluice.Denied, "account-nobody", "get deployments.apps", w.namespace, "sluice doctor")
	_, _, err = a.Apply(t.Context(), w.deployment(1, "", ""), true)
	w.wants(err, sluice.Denied)
	for _, err := range a.Watch(t.Context(), "apps/v1", "Deployment", w.namespace) {
		w.wants(err, sluice.Denied)
		break
	}
}
