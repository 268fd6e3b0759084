package apply

import (
	"strings"
	"testing"

	kjson "sigs.k8s.io/json"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
)

func object(t *testing.T, text string) sluice.Object {
	t.Helper()
	var o sluice.Object
	if err := kjson.UnmarshalCaseSensitivePreserveInts([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

const liveWeb = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop",
	"resourceVersion":"7","labels":{"app":"web","by":"them"},
"managedFields":[{"manager":"sluice","operation":"Apply","apiVersion":"apps/v1","fieldsType":"FieldsV1","fieldsV1":{
 "f:metadata":{"f:labels":{"f:app":{}}},
 "f:spec":{"f:replicas":{},"f:selector":{},"f:template":{"f:metadata":{"f:labels":{"f:app":{}}},
	"f:spec":{"f:containers":{
  "k:{\"name\":\"a\"}":{".":{},"f:name":{},"f:image":{},"f:resources":{"f:limits":{"f:cpu":{}}},
	"f:ports":{"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{}}}},
  "k:{\"name\":\"b\"}":{".":{},"f:name":{},"f:image":{},"f:args":{}}}}}}}},
 {"manager":"them","operation":"Update","apiVersion":"apps/v1","fieldsType":"FieldsV1",
	"fieldsV1":{"f:metadata":{"f:labels":{"f:by":{}}}}}]},
"spec":{"replicas":3,"selector":{"matchLabels":{"app":"web"}},"strategy":{"type":"RollingUpdate"},
	"template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[
 {"name":"a","image":"a:1","resources":{"limits":{"cpu":"1"}},"ports":[{"containerPort":80,"protocol":"TCP"}],
	"imagePullPolicy":"Always"},
 {"name":"b","image":"b:1","args":["x","y"]}]}}}}`

func TestIsApplied(t *testing.T) {
	const containers = `[{"name":"a","image":"a:1","resources":{"limits":{"cpu":"1"}},"ports":[{"containerPort":80}]},
		{"name":"b","image":"b:1","args":["x","y"]}]`
	web := func(meta, replicas, containers string) string {
		return `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop",` + meta +
			`},"spec":{` + replicas +
			`"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":` +
			containers + `}}}}`
	}
	const labels, three = `"labels":{"app":"web"}`, `"replicas":3,`
	for name, test := range map[string]struct {
		want string
		same bool
	}{
		"same":                {web(labels, three, containers), true},
		"a number as a float": {web(labels, `"replicas":3.0,`, containers), true},
		"another number":      {web(labels, `"replicas":4,`, containers), false},
		"a field less":        {web(labels, ``, containers), false},
		"a label less":        {web(`"labels":{}`, three, containers), false},
		"a label more":        {web(`"labels":{"app":"web","tier":"1"}`, three, containers), false},
		"a label of others":   {web(`"labels":{"app":"web","by":"them"}`, three, containers), false},
		"another image": {web(labels, three, `[{"name":"a","image":"a:2","resources":{"limits":{"cpu":"1"}},
			"ports":[{"containerPort":80}]},{"name":"b","image":"b:1","args":["x","y"]}]`), false},
		"another list": {web(labels, three, `[{"name":"a","image":"a:1","resources":{"limits":{"cpu":"1"}},
			"ports":[{"containerPort":80}]},{"name":"b","image":"b:1","args":["y","x"]}]`), false},
		"a container less": {web(labels, three, `[{"name":"a","image":"a:1","resources":{"limits":{"cpu":"1"}},
			"ports":[{"containerPort":80}]}]`), false},
		"a container more": {web(labels, three, containers[:len(containers)-1]+`,{"name":"c","image":"c"}]`),
			false},
		"another order": {web(labels, three, `[{"name":"b","image":"b:1","args":["x","y"]},{"name":"a",
			"image":"a:1","resources":{"limits":{"cpu":"1"}},"ports":[{"containerPort":80}]}]`), false},
		"another port": {web(labels, three, `[{"name":"a","image":"a:1","resources":{"limits":{"cpu":"1"}},
			"ports":[{"containerPort":81}]},{"name":"b","image":"b:1","args":["x","y"]}]`), false},
		"a default that is declared": {web(labels, three, `[{"name":"a","image":"a:1","imagePullPolicy":"Always",
			"resources":{"limits":{"cpu":"1"}},"ports":[{"containerPort":80}]},{"name":"b","image":"b:1","args":["x","y"]}]`),
			false},
		"a quantity in another form": {web(labels, three, `[{"name":"a","image":"a:1","resources":{"limits":{"cpu":"1000m"}},
			"ports":[{"containerPort":80}]},{"name":"b","image":"b:1","args":["x","y"]}]`), false},
		"another version of the API": {`{"apiVersion":"apps/v2","kind":"Deployment","metadata":{"name":"web"}}`, false},
	} {
		if got := isApplied(object(t, test.want), object(t, liveWeb), sluice.Manager); got != test.same {
			t.Errorf("%s: surely the same: %t, want %t", name, got, test.same)
		}
	}
	// An update, unlike an apply, may repeat the key of an item.
	twice := object(t, strings.Replace(liveWeb, `{"name":"b","image":"b:1","args":["x","y"]}`,
		`{"name":"b","image":"b:1","args":["x","y"]},{"name":"b","image":"b:1","args":["x","y"]}`, 1))
	if isApplied(object(t, web(labels, three, containers)), twice, sluice.Manager) {
		t.Error("a repeated container counts as the same")
	}
	stolen := object(t, liveWeb)
	stolen.Set(int64(5), "spec", "replicas")
	if isApplied(object(t, web(labels, three, containers)), stolen, sluice.Manager) {
		t.Error("a field with another value counts as the same")
	}
	delete(stolen["metadata"].(map[string]any), "managedFields")
	if isApplied(object(t, web(labels, three, containers)), stolen, sluice.Manager) {
		t.Error("what was never applied counts as the same")
	}
}

func TestWithoutScaled(t *testing.T) {
	entry := func(manager, subresource string) string {
		return `{"spec":{"replicas":5},"metadata":{"managedFields":[{"manager":"` + manager +
			`","operation":"Update","apiVersion":"apps/v1","subresource":"` + subresource +
			`","fieldsV1":{"f:spec":{"f:replicas":{}}}}]}}`
	}
	for name, test := range map[string]struct {
		live   string
		leaves bool // the declared count out
	}{
		"kubectl scale":           {entry("kubectl", "scale"), true},
		"an autoscaler":           {entry("kube-controller-manager", "scale"), true},
		"Sluice, on their behalf": {entry("sluice-scale-kept", ""), true},
		"Sluice":                  {entry("sluice-scale", ""), false},
		"kubectl edit":            {entry("kubectl-edit", ""), false},
		"its status":              {entry("kube-controller-manager", "status"), false},
		"somebody, to none": {`{"spec":{"replicas":0},"metadata":{"managedFields":[{"manager":"sluice",
			"operation":"Apply","fieldsV1":{"f:spec":{"f:paused":{}}}}]}}`, true},
		"Sluice, to none": {`{"spec":{"replicas":0},"metadata":{"managedFields":[{"manager":"sluice-scale",
			"operation":"Update","fieldsV1":{"f:spec":{"f:replicas":{}}}}]}}`, false},
		"nobody": {`{"spec":{"replicas":5}}`, false},
		"them, as many as declared": {`{"spec":{"replicas":3},"metadata":` + entry("kubectl",
			"scale")[len(`{"spec":{"replicas":5},"metadata":`):], false},
	} {
		want := object(t, `{"spec":{"replicas":3,"paused":true}}`)
		got := withoutScaled(want, object(t, test.live))
		if left := got.Field("spec", "replicas") == nil; left != test.leaves || got.Field("spec", "paused") != true {
			t.Errorf("%s: %v", name, got)
		}
		if want.Number(0, "spec", "replicas") != 3 {
			t.Errorf("%s: the caller's object was changed", name)
		}
	}
}

func TestDeclaredFields(t *testing.T) {
	secret := client.Resource{Kind: "Secret", Namespaced: true}
	o := object(t, `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s","uid":"u","resourceVersion":"1",
		"creationTimestamp":null,"managedFields":[]},"data":{"a":"eA=="},"stringData":{"b":"y"}}`)
	got := declaredFields(o, secret)
	if !isEqual(map[string]any(got), map[string]any(object(t, `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s",
		"namespace":"default"},"data":{"a":"eA==","b":"eQ=="}}`))) {
		t.Errorf("a Secret is applied as %v", got)
	}
	wide := declaredFields(object(t, `{"kind":"Wide","metadata":{"name":"w","namespace":"n"},"status":{}}`),
		client.Resource{Kind: "Wide", Subresources: []string{"status"}})
	if !isEqual(map[string]any(wide), map[string]any(object(t, `{"kind":"Wide","metadata":{"name":"w"}}`))) {
		t.Errorf("what has no namespace is applied as %v", wide)
	}
	if got := declaredFields(object(t, `{"metadata":{"name":"c"},"status":{"x":1}}`),
		client.Resource{}); got.Field("status", "x") == nil {
		t.Error("a status that is no subresource is lost")
	}
}

func TestIsSameToUs(t *testing.T) {
	change := func(do func(sluice.Object)) sluice.Object {
		o := object(t, liveWeb)
		o.Set("8", "metadata", "resourceVersion")
		do(o)
		return o
	}
	container := func(o sluice.Object) map[string]any {
		return o.Field("spec", "template", "spec", "containers").([]any)[0].(map[string]any)
	}
	for name, test := range map[string]struct {
		now  sluice.Object
		same bool
	}{
		"nothing":            {change(func(sluice.Object) {}), true},
		"a label of others":  {change(func(o sluice.Object) { o.Set("us", "metadata", "labels", "by") }), true},
		"a label":            {change(func(o sluice.Object) { o.Set("x", "metadata", "labels", "app") }), false},
		"an image":           {change(func(o sluice.Object) { container(o)["image"] = "a:2" }), false},
		"a port's other key": {change(func(o sluice.Object) { container(o)["ports"] = []any{} }), false},
		"no such field":      {change(func(o sluice.Object) { delete(o["spec"].(map[string]any), "replicas") }), false},
	} {
		if got := isSameToUs(object(t, liveWeb), test.now, sluice.Manager); got != test.same {
			t.Errorf("%s: the same %t", name, got)
		}
	}
}

// Which owners a field may be taken from, and which conflicts are left.
func TestRefused(t *testing.T) {
	const argo = "argocd-controller"
	live := object(t, `{"metadata":{"managedFields":[{"manager":"sluice:shop","operation":"Apply","apiVersion":"v1",
		"fieldsV1":{"f:data":{"f:shared":{},"f:since":{}}}},{"manager":"kubectl-set","operation":"Update","apiVersion":"v1",
		"fieldsV1":{"f:data":{"f:a":{},"f:shared":{}}}}]}}`)
	for name, test := range map[string]struct {
		field, manager string
		takeOver       []string
		live           sluice.Object
		want           bool
	}{
		"of Sluice for nobody":                    {".data.a", "sluice", nil, live, false},
		"of Sluice, by scaling":                   {".data.a", "sluice-scale", nil, live, false},
		"of a like name":                          {".data.a", "sluiceadmin", nil, live, true},
		"of another application":                  {".data.a", "sluice:blog", nil, live, true},
		"of a controller":                         {".data.a", argo, nil, live, true},
		"of a controller, shared":                 {".data.shared", argo, nil, live, true},
		"of a controller that is named":           {".data.a", argo, []string{argo}, live, false},
		"of another application that is named":    {".data.a", "sluice:blog", []string{"sluice:blog"}, live, false},
		"of a person":                             {".data.a", "kubectl-set", nil, live, true},
		"of a person, shared":                     {".data.shared", "kubectl-set", nil, live, false},
		"of a person, since it was read":          {".data.since", "kubectl-set", nil, live, true},
		"of kubectl apply":                        {".data.a", kubectlApply, nil, live, true},
		"of kubectl apply, before the first time": {".data.a", kubectlApply, nil, sluice.Object{}, false},
		"of nobody":                               {".data.a", "", nil, live, true},
	} {
		w := (&Writer{}).For(sluice.Writing{Application: "shop", TakeOver: test.takeOver})
		got := w.refused([]client.FieldConflict{{Field: test.field, Manager: test.manager}}, test.live)
		if (len(got) > 0) != test.want {
			t.Errorf("a field %s is refused: %v", name, got)
		}
	}
}
