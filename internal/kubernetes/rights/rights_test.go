package rights

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
	"github.com/sluice-cd/sluice/internal/manifest"
)

const deployDir = "../../../deploy"

// noFeature are the files beside those of the features.
var noFeature = []string{"account.yaml", "kustomization.yaml"}

func TestManifestsGrantWhatTheFeaturesNeed(t *testing.T) {
	files, err := os.ReadDir(deployDir)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, f := range files {
		if name, ok := strings.CutSuffix(f.Name(), ".yaml"); ok && !slices.Contains(noFeature, f.Name()) {
			found = append(found, name)
		}
	}
	var known []string
	for _, f := range Features() {
		known = append(known, f.Name)
		t.Run(f.Name, func(t *testing.T) { checkFeature(t, f) })
	}
	slices.Sort(known)
	slices.Sort(found)
	if diff := gocmp.Diff(known, found); diff != "" {
		t.Errorf("features and files of deploy/ differ (-features +files):\n%s", diff)
	}
}

func checkFeature(t *testing.T, f Feature) {
	objects := parse(t, f.Name+".yaml")
	kind := "Role"
	if f.Cluster {
		kind = "ClusterRole"
	}
	if len(objects) != 2 || objects[0].Text("kind") != kind || objects[1].Text("kind") != kind+"Binding" {
		t.Fatalf("the file holds %v, not a %s and its binding", objects, kind)
	}
	role, binding := objects[0], objects[1]
	for _, o := range objects {
		if o.Text("metadata", "name") != "sluice-"+f.Name || o.Text("metadata", "namespace") != "" {
			t.Errorf("%s is called %v", o.Text("kind"), o["metadata"])
		}
	}
	if binding.Text("roleRef", "kind") != kind || binding.Text("roleRef", "name") != "sluice-"+f.Name {
		t.Errorf("the binding refers to %v", binding["roleRef"])
	}
	if diff := gocmp.Diff(account(t), binding["subjects"]); diff != "" {
		t.Errorf("the binding is for somebody else than account.yaml has (-account +binding):\n%s", diff)
	}
	var want, got []sluice.Right
	for _, g := range f.Grants {
		want = append(want, single([]string{g.Group}, g.Resources, g.Verbs)...)
	}
	rules, _ := role["rules"].([]any)
	for _, r := range rules {
		rule := sluice.Object(r.(map[string]any))
		got = append(got, single(texts(rule["apiGroups"]), texts(rule["resources"]), texts(rule["verbs"]))...)
	}
	if diff := gocmp.Diff(want, got, cmpopts.SortSlices(before)); diff != "" {
		t.Errorf("rights differ (-code +manifest):\n%s", diff)
	}
}

func before(a, b sluice.Right) bool {
	return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Verb, b.Verb)) < 0
}

func single(groups, resources, verbs []string) []sluice.Right {
	var list []sluice.Right
	for _, g := range groups {
		for _, r := range resources {
			for _, v := range verbs {
				list = append(list, sluice.Right{Verb: v, Group: g, Resource: r})
			}
		}
	}
	return list
}

func texts(v any) []string {
	var list []string
	for _, e := range v.([]any) {
		list = append(list, e.(string))
	}
	return list
}

func parse(t *testing.T, name string) []sluice.Object {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(deployDir, name))
	if err != nil {
		t.Fatal(err)
	}
	objects, ds := manifest.Parse(name, data)
	if ds.HasErrors() {
		t.Fatal(ds)
	}
	return objects
}

// account is the ServiceAccount of account.yaml as a subject.
func account(t *testing.T) any {
	for _, o := range parse(t, "account.yaml") {
		if o.Text("kind") == "ServiceAccount" {
			return []any{map[string]any{"kind": "ServiceAccount", "name": o.Text("metadata", "name"),
				"namespace": o.Text("metadata", "namespace")}}
		}
	}
	t.Fatal("account.yaml has no ServiceAccount")
	return nil
}

func TestKustomizationListsTheBase(t *testing.T) {
	objects := Base("production")
	granted := map[string]bool{}
	for _, r := range objects {
		granted[r.Feature+".yaml"] = true
	}
	data, err := os.ReadFile(filepath.Join(deployDir, "kustomization.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(data), "\nresources:\n")
	for line := range strings.Lines(list) {
		name := strings.TrimPrefix(strings.TrimSpace(line), "- ")
		if !granted[name] {
			t.Errorf("kustomization.yaml lists %s, which the base does not need", name)
		}
		delete(granted, name)
	}
	if len(granted) > 0 {
		t.Errorf("kustomization.yaml lacks %v", granted)
	}
}

// unknown is the lookup in a cluster that knows no kind yet.
func unknown(sluice.Ref) (client.Resource, bool) { return client.Resource{}, false }

func TestNeeds(t *testing.T) {
	object := func(apiVersion, kind, namespace string) sluice.Object {
		o := sluice.Object{"apiVersion": apiVersion, "kind": kind}
		o.Set("x", "metadata", "name")
		if namespace != "" {
			o.Set(namespace, "metadata", "namespace")
		}
		return o
	}
	primary := func(o sluice.Object) sluice.Object {
		o.Set("test -f primary", "metadata", "annotations", sluice.PrimaryProbe)
		return o
	}
	apply := func(objects ...sluice.Object) sluice.StepSpec {
		return sluice.StepSpec{Kind: sluice.KindApply, Apply: &sluice.Apply{Objects: objects}}
	}
	gradual := func(objects ...sluice.Object) sluice.StepSpec {
		s := apply(objects...)
		s.Apply.Canary = true
		return s
	}
	canary := gradual(object("apps/v1", "Deployment", "other"))
	tests := map[string]struct {
		step    sluice.StepSpec
		weight  int // of a later step, if it is not 0
		traffic []sluice.Traffic
		want    []sluice.Right // among others
		not     []string       // features that are not needed
	}{
		"a ConfigMap needs nothing of workloads": {
			step: apply(object("v1", "ConfigMap", "")),
			want: []sluice.Right{{Verb: "patch", Resource: "configmaps", Namespace: "prod", Feature: "apply"}, {Verb: "create",
				Resource: "configmaps", Namespace: "prod", Feature: "apply"}},
			not: []string{"rollout", "exec", "traffic", "observe", "logs"},
		},
		"an object in another namespace": {
			step: apply(object("apps/v1", "Deployment", "other")),
			want: []sluice.Right{
				{Verb: "delete", Group: "apps", Resource: "deployments", Namespace: "other", Feature: "apply"},
				{Verb: "patch", Group: "apps", Resource: "deployments", Namespace: "other", Feature: "apply"},
				{Verb: "get", Resource: "pods/log", Namespace: "other", Feature: "logs", Dispensable: true},
			},
			not: []string{"rollout", "exec", "traffic"},
		},
		"a StatefulSet whose controller replaces its pods": {
			step: gradual(object("apps/v1", "StatefulSet", "")),
			want: []sluice.Right{
				{Verb: "create", Resource: "pods/eviction", Namespace: "prod", Feature: "rollout", Dispensable: true},
				{Verb: "list", Resource: "events", Namespace: "prod", Feature: "observe", Dispensable: true},
			},
			not: []string{"exec", "traffic"},
		},
		"a set whose pods are evicted one by one": {
			step: gradual(object("apps/v1", "DaemonSet", "")),
			want: []sluice.Right{
				{Verb: "create", Resource: "pods/eviction", Namespace: "prod", Feature: "rollout"},
				{Verb: "delete", Resource: "pods", Namespace: "prod", Feature: "rollout", Dispensable: true},
				{Verb: "list", Group: "apps", Resource: "controllerrevisions", Namespace: "prod", Feature: "observe"},
			},
			not: []string{"exec", "traffic"},
		},
		"a set that is replaced at once": {
			step: apply(object("apps/v1", "DaemonSet", "")),
			not:  []string{"rollout"},
		},
		"a custom resource": {
			step: apply(object("stork.libopenstorage.org/v1alpha1", "Migration", "")),
			want: []sluice.Right{{Verb: "create", Group: "stork.libopenstorage.org", Resource: "migrations", Namespace: "prod"}},
		},
		"what belongs to no namespace": {
			step: apply(object("v1", "Namespace", ""), object("apiextensions.k8s.io/v1", "CustomResourceDefinition", "")),
			want: []sluice.Right{
				{Verb: "create", Resource: "namespaces", Feature: "namespaces"},
				{Verb: "patch", Group: "apiextensions.k8s.io", Resource: "customresourcedefinitions", Feature: "crds"},
			},
		},
		"weights by a mesh": {
			step:    canary,
			traffic: []sluice.Traffic{{Istio: []sluice.Istio{{VirtualService: "web"}}}},
			want: []sluice.Right{
				{Verb: "patch", Group: "networking.istio.io", Resource: "virtualservices", Namespace: "other",
					Feature: "traffic-istio"},
				{Verb: "patch", Resource: "services", Namespace: "other", Feature: "traffic"},
			},
			not: []string{"traffic-smi", "traffic-gateway"},
		},
		"a canary": {
			step: canary,
			want: []sluice.Right{
				{Verb: "create", Group: "apps", Resource: "replicasets", Namespace: "other", Feature: "traffic",
					Dispensable: true},
				{Verb: "update", Group: "apps", Resource: "deployments/finalizers", Namespace: "other", Feature: "traffic",
					Dispensable: true},
			},
			not: []string{"traffic-pods"},
		},
		"most of the traffic by numbers of pods": {
			step: canary, weight: 75,
			want: []sluice.Right{{Verb: "patch", Resource: "pods", Namespace: "other", Feature: "traffic-pods"}},
		},
		"half of the traffic by numbers of pods": {step: canary, weight: 50, not: []string{"traffic-pods"}},
		"all of the traffic":                     {step: canary, weight: 100, not: []string{"traffic-pods"}},
		"most of the traffic by a route": {
			step: canary, weight: 75, not: []string{"traffic-pods"},
			traffic: []sluice.Traffic{{Gateway: []sluice.GatewayRoute{{Service: "web", Name: "web"}}}},
		},
		"a rolling update divides nothing": {
			step:    apply(object("apps/v1", "Deployment", "")),
			traffic: []sluice.Traffic{{Istio: []sluice.Istio{{VirtualService: "web"}}}},
			not:     []string{"traffic", "traffic-istio"},
		},
		"a webhook in the cluster": {
			step: sluice.StepSpec{Kind: sluice.KindRunWebhook,
				RunWebhook: &sluice.RunWebhook{Webhook: &sluice.Webhook{NetworkMode: "remoteNetworkAgent",
					URITemplate: "http://cmd-hook.armory-rna:8081/x"}}},
			want: []sluice.Right{{Verb: "create", Resource: "services/proxy", Namespace: "armory-rna",
				Feature: "service-proxy"}},
		},
		"a webhook elsewhere": {
			step: sluice.StepSpec{Kind: sluice.KindRunWebhook,
				RunWebhook: &sluice.RunWebhook{Webhook: &sluice.Webhook{NetworkMode: "direct",
					URITemplate: "https://example.com"}}},
			not: []string{"service-proxy", "port-forward"},
		},
		"waiting only looks": {
			step: sluice.StepSpec{Kind: sluice.KindWaitFor, WaitFor: &sluice.WaitFor{Object: "Certificate.cert-manager.io/web"}},
			want: []sluice.Right{{Verb: "watch", Group: "cert-manager.io", Resource: "certificates", Namespace: "prod"}},
		},
		"waiting for a kind of another version": {
			step: sluice.StepSpec{Kind: sluice.KindWaitFor,
				WaitFor: &sluice.WaitFor{Object: "Migration.v1alpha1.stork.libopenstorage.org/mongo"}},
			want: []sluice.Right{{Verb: "watch", Group: "stork.libopenstorage.org", Resource: "migrations", Namespace: "prod"}},
		},
		"a primary that is found by a command": {
			step: gradual(primary(object("apps/v1", "StatefulSet", ""))),
			want: []sluice.Right{
				{Verb: "create", Resource: "pods/exec", Namespace: "prod", Feature: "exec"},
				{Verb: "create", Resource: "pods/eviction", Namespace: "prod", Feature: "rollout"},
			},
		},
		"a dataset whose source is stilled by commands": {
			step: sluice.StepSpec{Kind: sluice.KindCheckpointData, CheckpointData: &sluice.CheckpointData{Spec: sluice.Dataset{
				Workload: "StatefulSet/mongo", URI: "mongodb://mongo", Quiesce: sluice.Quiesce{Before: [][]string{{"fsync"}}}}}},
			want: []sluice.Right{
				{Verb: "create", Resource: "pods/exec", Namespace: "prod", Feature: "exec"},
				{Verb: "get", Resource: "pods/portforward", Namespace: "prod", Feature: "port-forward"},
				{Verb: "create", Resource: "resourcequotas", Feature: "scratch"},
				{Verb: "create", Group: "snapshot.storage.k8s.io", Resource: "volumesnapshots", Namespace: "prod", Feature: "data"},
				{Verb: "patch", Resource: "persistentvolumes", Feature: "data-volumes"},
			},
			not: []string{"rollout"},
		},
		"a dataset whose source is stopped": {
			step: sluice.StepSpec{Kind: sluice.KindCheckpointData, CheckpointData: &sluice.CheckpointData{Spec: sluice.Dataset{
				Workload: "StatefulSet/mongo", Quiesce: sluice.Quiesce{Mode: "stop"}}}},
			want: []sluice.Right{
				{Verb: "patch", Group: "apps", Resource: "statefulsets", Namespace: "prod", Feature: "apply"},
				{Verb: "watch", Resource: "pods", Namespace: "prod", Feature: "observe"},
			},
			not: []string{"exec"},
		},
		"a dataset that is replaced": {
			step: sluice.StepSpec{Kind: sluice.KindRestoreData, RestoreData: &sluice.RestoreData{Spec: sluice.Dataset{
				Workload: "StatefulSet/mongo", Claims: []string{"data"}}}},
			want: []sluice.Right{
				{Verb: "delete", Resource: "persistentvolumeclaims", Namespace: "prod", Feature: "apply"},
				{Verb: "create", Resource: "secrets", Namespace: "prod", Feature: "apply"},
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := &sluice.Plan{
				Targets: []sluice.PlannedTarget{{Name: "production", Namespace: "prod", Traffic: tt.traffic}},
				Steps:   []sluice.PlannedStep{{ID: "production/x", Target: "production", StepSpec: tt.step}},
			}
			if tt.weight > 0 {
				p.Steps = append(p.Steps, sluice.PlannedStep{ID: "production/w", Target: "production",
					StepSpec: sluice.StepSpec{Kind: sluice.KindSetWeight, SetWeight: &sluice.SetWeight{Weight: tt.weight}}})
			}
			got := needed(p, "production", unknown)
			for _, w := range tt.want {
				if !slices.Contains(got, w) {
					t.Errorf("%+v is not among what is needed: %+v", w, got)
				}
			}
			for _, r := range got {
				if slices.Contains(tt.not, r.Feature) {
					t.Errorf("%+v is needed", r)
				}
			}
			seen := map[sluice.Right]bool{}
			for _, r := range got {
				r.Feature = ""
				if seen[r] {
					t.Errorf("%+v is listed twice", r)
				}
				seen[r] = true
			}
		})
	}
}

func TestNeedsOfOtherTargetsSteps(t *testing.T) {
	hook := &sluice.Webhook{NetworkMode: "remoteNetworkAgent", AgentIdentifier: "east",
		URITemplate: "http://hook.tools:80/"}
	p := &sluice.Plan{
		Targets: []sluice.PlannedTarget{{Name: "a", Account: "east", Namespace: "prod"}, {Name: "b", Account: "west",
			Namespace: "stage"}},
		Steps: []sluice.PlannedStep{
			{ID: "b/x", Target: "b", StepSpec: sluice.StepSpec{RunWebhook: &sluice.RunWebhook{Webhook: hook}}},
			{ID: "b/y", Target: "b", StepSpec: sluice.StepSpec{MigrateData: &sluice.MigrateData{
				Source: &sluice.Target{Account: "east", Namespace: "prod"}, Spec: sluice.Dataset{Claims: []string{"data"}},
				Suspend: []string{"CronJob/mails"}}}},
			{ID: "b/z", Target: "b", StepSpec: sluice.StepSpec{Prune: &sluice.Prune{Objects: []sluice.Ref{{APIVersion: "v1",
				Kind: "ConfigMap", Name: "old"}}}}},
		},
	}
	east, west := needed(p, "a", unknown), needed(p, "b", unknown)
	for _, want := range []sluice.Right{
		{Verb: "create", Resource: "services/proxy", Namespace: "tools", Feature: "service-proxy"},
		{Verb: "get", Resource: "persistentvolumeclaims", Namespace: "prod", Feature: "apply"},
		{Verb: "get", Resource: "configmaps", Namespace: "prod", Feature: "apply"},
		{Verb: "get", Group: "snapshot.storage.k8s.io", Resource: "volumesnapshots", Feature: "scratch"},
	} {
		if !slices.Contains(east, want) {
			t.Errorf("%+v is not needed in east: %+v", want, east)
		}
	}
	for _, want := range []sluice.Right{
		{Verb: "delete", Resource: "configmaps", Namespace: "stage", Feature: "apply"},
		{Verb: "patch", Group: "batch", Resource: "cronjobs", Namespace: "stage", Feature: "apply"},
	} {
		if !slices.Contains(west, want) {
			t.Errorf("%+v is not needed in west: %+v", want, west)
		}
	}
	for _, r := range west {
		if r.Resource == "services/proxy" {
			t.Errorf("%+v is needed in west", r)
		}
	}
}
