package manifest_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

func TestSetNamespace(t *testing.T) {
	objs := decode(t, `
{apiVersion: v1, kind: Service, metadata: {name: a, namespace: old}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: old}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: robot, namespace: old}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: b, namespace: old}
subjects:
- {kind: ServiceAccount, name: anyone, namespace: old}
- {kind: ServiceAccount, name: other, namespace: elsewhere}
- {kind: User, name: u}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: c}
subjects:
- {kind: ServiceAccount, name: robot, namespace: old}
- {kind: ServiceAccount, name: anyone, namespace: old}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: wides.example.com}
spec: {group: example.com, scope: Cluster, names: {kind: Wide}}
---
{apiVersion: example.com/v1, kind: Wide, metadata: {name: w}}
---
{apiVersion: example.com/v1, kind: Narrow, metadata: {name: n}}
`)
	manifest.SetNamespace(objs, "new")
	var got []string
	for _, o := range objs {
		got = append(got, o.Text("kind")+" "+o.Text("metadata", "namespace"))
		subjects, _ := o.Field("subjects").([]any)
		for _, s := range subjects {
			subject := sluice.Object(s.(map[string]any))
			got = append(got, "  "+subject.Text("name")+" "+subject.Text("namespace"))
		}
	}
	want := []string{"Service new", "Namespace ", "ServiceAccount new", "RoleBinding new", "  anyone new",
		"  other elsewhere", "  u ",
		"ClusterRoleBinding ", "  robot new", "  anyone old", "CustomResourceDefinition ", "Wide ", "Narrow new"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	manifest.SetNamespace(objs, "")
	if got := objs[0].Text("metadata", "namespace"); got != "new" {
		t.Errorf("no namespace changed it to %q", got)
	}
}

func object(apiVersion, kind, name string) sluice.Object {
	return sluice.Object{"apiVersion": apiVersion, "kind": kind, "metadata": map[string]any{"name": name}}
}

func TestOrder(t *testing.T) {
	given := []sluice.Object{object("x/v1", "Own", "1"), object("autoscaling/v2", "HorizontalPodAutoscaler", "1"),
		object("batch/v1", "CronJob", "1"),
		object("apps/v1", "Deployment", "1"), object("batch/v1", "Job", "1"), object("apps/v1", "DaemonSet", "1"),
		object("apps/v1", "StatefulSet", "1"), object("v1", "Service", "2"),
		object("v1", "Service", "1"), object("r/v1", "Role", "1"), object("v1", "PersistentVolumeClaim", "1"),
		object("v1", "ConfigMap", "1"), object("v1", "Secret", "1"),
		object("v1", "ServiceAccount", "1"), object("a/v1", "CustomResourceDefinition", "1"), object("v1", "Namespace", "1")}
	want := []string{"Namespace/1", "CustomResourceDefinition/1", "ServiceAccount/1", "Secret/1", "ConfigMap/1",
		"PersistentVolumeClaim/1", "Role/1", "Service/2", "Service/1",
		"DaemonSet/1", "StatefulSet/1", "Job/1", "Deployment/1", "CronJob/1", "HorizontalPodAutoscaler/1", "Own/1"}
	if diff := cmp.Diff(want, names(manifest.Order(given))); diff != "" {
		t.Error(diff)
	}
	if given[0].Text("kind") != "Own" {
		t.Error("the argument was changed")
	}
}

// shift is a sealer whose outcome differs each time, as a real one's does.
type shift struct{ count byte }

func (s *shift) Seal(plain string) (string, error) {
	s.count++
	return hex.EncodeToString(append([]byte{s.count}, plain...)), nil
}

func (s *shift) Open(sealed string) (string, error) {
	b, err := hex.DecodeString(sealed)
	if err != nil || len(b) == 0 {
		return "", sluice.Errorf(sluice.Denied, "the value is sealed under another key")
	}
	return string(b[1:]), nil
}

const secret = `
apiVersion: v1
kind: Secret
metadata: {name: s, annotations: {kubectl.kubernetes.io/last-applied-configuration: '{"stringData":{"b":"hello"}}'}}
data: {a: aGVsbG8=}
stringData: {b: hello, c: "sluice-sealed:by chance", d: ""}
`

func TestSeal(t *testing.T) {
	objs := parse(t, secret+"---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {a: hello}}")
	plain := objs[0].Clone()
	s := &shift{}
	for range 2 {
		if err := manifest.SealSecrets(objs, s); err != nil {
			t.Fatal(err)
		}
	}
	if s.count != 5 {
		t.Errorf("sealed %d times, want each of 5 values once", s.count)
	}
	for _, v := range []string{objs[0].Text("data", "a"), objs[0].Text("stringData", "b"), objs[0].Text("stringData", "c"),
		objs[0].Text("metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration")} {
		if !strings.HasPrefix(v, "sluice-sealed:") || strings.Contains(v, "hello") || strings.Contains(v, "aGVs") ||
			strings.Contains(v, "chance") {
			t.Errorf("not sealed: %s", v)
		}
	}
	if objs[1].Text("data", "a") != "hello" {
		t.Error("a ConfigMap was sealed")
	}
	if err := manifest.OpenSecrets(objs, s); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(plain, objs[0]); diff != "" {
		t.Error(diff)
	}
	objs[0].Set("sluice-sealed:zz", "data", "a")
	objs[0].Set(map[string]any{}, "stringData")
	if err := manifest.OpenSecrets(objs, s); sluice.ErrorCode(err) != sluice.Denied {
		t.Errorf("opening another key's value: %v", err)
	}
	objs[0].Set(int64(3), "data", "a")
	if err := manifest.SealSecrets(objs, s); sluice.ErrorCode(err) != sluice.Invalid {
		t.Errorf("sealing a number: %v", err)
	}
}

func TestDiff(t *testing.T) {
	before := decode(t, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: a, resourceVersion: "1", uid: u, generation: 3, managedFields: [{}],
  annotations: {kubectl.kubernetes.io/last-applied-configuration: "{secret}"}}
spec: {replicas: 1, paused: false}
status: {replicas: 1}
`)[0]
	after := decode(t, "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {replicas: 2, paused: "+
		"false}\n")[0]
	want := `--- before
+++ after
@@ -4,4 +4,4 @@
   name: a
 spec:
   paused: false
-  replicas: 1
+  replicas: 2
`
	if diff := cmp.Diff(want, manifest.Diff(before, after)); diff != "" {
		t.Error(diff)
	}
	if before.Text("metadata", "uid") != "u" {
		t.Error("the argument was changed")
	}
	if got := manifest.Diff(nil, after); strings.Count(got, "\n+") != 8 {
		t.Errorf("creation:\n%s", got)
	}
	if got := manifest.Diff(after, nil); strings.Count(got, "\n-") != 7 {
		t.Errorf("deletion:\n%s", got)
	}
	if got := manifest.Diff(after, after); got != "" {
		t.Errorf("no change:\n%s", got)
	}
}

// A diff shows that a Secret's value changes and never the value, however it is written.
func TestDiffHidesSecrets(t *testing.T) {
	before, after := decode(t, secret)[0], parse(t, strings.ReplaceAll(secret, "b: hello", "b: world, new: value"))[0]
	got := manifest.Diff(before, after)
	want := `--- before
+++ after
@@ -1,9 +1,10 @@
 apiVersion: v1
 data:
   a: (hidden)
-  b: (hidden, before)
+  b: (hidden, after)
   c: (hidden)
   d: (hidden)
+  new: (hidden, after)
 kind: Secret
 metadata:
   name: s
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := manifest.Diff(nil, after); strings.Contains(got, "world") || strings.Contains(got, "aGVs") {
		t.Errorf("a new Secret's values are shown:\n%s", got)
	}
	stored := parse(t, "{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {b: aGVsbG8=}}")[0]
	written := parse(t, "{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {b: hello}}")[0]
	if got := manifest.Diff(stored, written); got != "" {
		t.Errorf("the same value written as text differs:\n%s", got)
	}
}
