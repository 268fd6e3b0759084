package kubernetes_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

const (
	settingsPath = "/api/v1/namespaces/shop/configmaps/settings"
	getSettings  = "GET " + settingsPath
	patchIt      = "PATCH " + settingsPath
	settings     = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"settings","namespace":"shop"},
		"data":{"a":"2"}}`
	deployments = "/apis/apps/v1/namespaces/shop/deployments/"
)

// liveSettings is the ConfigMap with a value and the manager that owns it.
func liveSettings(version, value, manager, operation string) answer {
	return answer{body: `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"settings","namespace":"shop","uid":"u",
		"resourceVersion":"` + version + `","managedFields":[{"manager":"` + manager + `","operation":"` + operation + `",
		"apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{"f:data":{"f:a":{}}}}]},"data":{"a":"` + value + `"}}`}
}

// patches returns the kind of each patch: its field manager, and how it was applied.
func (s *server) patches() []string {
	s.Helper()
	var all []string
	for _, r := range s.sent("PATCH ") {
		q, err := url.ParseQuery(r.query)
		if err != nil {
			s.Fatal(err)
		}
		word := q.Get("fieldManager")
		if q.Get("force") == "true" {
			word += " by force"
		}
		if q.Get("dryRun") == "All" {
			word += " dry"
		}
		all = append(all, word)
	}
	return all
}

// What Apply sends after each answer of an API server, and what it returns.
func TestApply(t *testing.T) {
	ours := func(version, value string) answer { return liveSettings(version, value, "sluice", "Apply") }
	kubectl := liveSettings("1", "1", "kubectl-client-side-apply", "Update")
	ending := failure(403, "Forbidden",
		`configmaps "settings" is forbidden: unable to create new content in namespace shop `+
			`because it is being terminated`,
		`"name":"settings","kind":"configmaps","causes":[{"reason":"NamespaceTerminating",`+
			`"message":"namespace shop is being terminated","field":"metadata.namespace"}]`)
	for name, test := range map[string]struct {
		live    []answer
		dryRun  bool
		patch   []answer
		outcome sluice.Outcome
		code    sluice.Code
		text    string
		patches []string
	}{
		"created": {live: []answer{notFound("configmaps", "settings")}, patch: []answer{ours("1", "2")},
			outcome: sluice.Created, patches: []string{"sluice"}},
		"dry run": {live: []answer{ours("1", "1")}, dryRun: true, patch: []answer{ours("1", "2")},
			outcome: sluice.Configured, patches: []string{"sluice dry"}},
		"unchanged": {live: []answer{ours("1", "2")}, outcome: sluice.Unchanged},
		"unchanged, as the server knows": {live: []answer{liveSettings("1", "2", "sluice-scale", "Update")},
			patch:   []answer{liveSettings("1", "2", "sluice-scale", "Update")},
			outcome: sluice.Unchanged, patches: []string{"sluice"}},
		"somebody wrote in between": {live: []answer{ours("1", "0"), ours("2", "1")}, patch: []answer{modified("configmaps",
			"settings"), ours("3", "2")},
			outcome: sluice.Configured, patches: []string{"sluice", "sluice"}},
		"somebody wrote the same in between": {live: []answer{ours("1", "0"), ours("2", "2")},
			patch:   []answer{modified("configmaps", "settings")},
			outcome: sluice.Unchanged, patches: []string{"sluice"}},
		"somebody always writes in between": {live: slices.Repeat([]answer{ours("1", "0")}, 5),
			patch: slices.Repeat([]answer{modified("configmaps", "settings")}, 5),
			code:  sluice.Conflict, text: "apply ConfigMap/settings: Operation cannot be fulfilled",
			patches: slices.Repeat([]string{"sluice"}, 5)},
		"somebody else's field": {live: []answer{ours("1", "1")}, patch: []answer{owned("configmaps", "settings",
			[2]string{".data.a", "helm"}, [2]string{".data.b", "sluice-scale"})},
			code: sluice.Conflict, text: `field .data.a is set by "helm"`, patches: []string{"sluice"}},
		"a field of ours under another name": {live: []answer{ours("1", "1")}, patch: []answer{owned("configmaps",
			"settings", [2]string{".data.a", "sluice-scale"}), ours("2", "2")},
			outcome: sluice.Configured, patches: []string{"sluice", "sluice by force"}},
		"taken over from kubectl": {live: []answer{kubectl}, patch: []answer{ours("2", "1"), ours("3", "2")},
			outcome: sluice.Configured, patches: []string{"sluice-adopt", "sluice"}},
		"taken over from kubectl, dry": {live: []answer{kubectl}, dryRun: true, patch: []answer{owned("configmaps",
			"settings", [2]string{".data.a", "kubectl-client-side-apply"}), ours("1", "2")},
			outcome: sluice.Configured, patches: []string{"sluice dry", "sluice by force dry"}},
		"kubectl goes on beside Sluice": {live: []answer{ours("1", "1")}, patch: []answer{owned("configmaps", "settings",
			[2]string{".data.a", "kubectl-client-side-apply"})},
			code: sluice.Conflict, text: "kubectl-client-side-apply", patches: []string{"sluice"}},
		"the namespace ends": {live: []answer{notFound("configmaps", "settings")}, patch: []answer{ending},
			code: sluice.Conflict, text: "being terminated", patches: []string{"sluice"}},
		"no right": {live: []answer{failure(403, "Forbidden",
			`configmaps "settings" is forbidden: User "ci" cannot get resource "configmaps" in API group "" `+
				`in the namespace "shop"`, "")},
			code: sluice.Denied, text: "ci may not get configmaps in namespace shop"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			s.on(getSettings, test.live...)
			s.on(patchIt, test.patch...)
			now, outcome, err := s.Apply(t.Context(), object(t, settings), test.dryRun)
			wantError(t, err, test.code, test.text)
			if err == nil && (outcome != test.outcome || now.Text("data", "a") != "2") {
				t.Errorf("%s %v, want %s", outcome, now, test.outcome)
			}
			if got := s.patches(); !slices.Equal(got, test.patches) {
				t.Errorf("patches %v, want %v", got, test.patches)
			}
		})
	}
}

// What is sent on behalf of an application, depending on who owns the object.
func TestApplyForAnApplication(t *testing.T) {
	own := func(version, value string) answer { return liveSettings(version, value, "sluice:shop", "Apply") }
	shared := func(value, other, operation string) answer {
		return answer{body: `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"settings","namespace":"shop","uid":"u",
			"resourceVersion":"2","managedFields":[{"manager":"sluice:shop","operation":"Apply","apiVersion":"v1",
			"fieldsV1":{"f:data":{"f:a":{}}}},{"manager":"` + other + `","operation":"` + operation + `","apiVersion":"v1",
			"fieldsV1":{"f:data":{"f:a":{}}}}]},"data":{"a":"` + value + `"}}`}
	}
	theirs := func(value string) answer { return liveSettings("1", value, "kubectl-set", "Update") }
	for name, test := range map[string]struct {
		live     []answer
		takeOver string
		patch    []answer
		outcome  sluice.Outcome
		code     sluice.Code
		text     string
		patches  []string
	}{
		"unchanged": {live: []answer{own("1", "2")}, outcome: sluice.Unchanged},
		"unchanged since an earlier version": {live: []answer{liveSettings("1", "2", "sluice", "Apply")},
			outcome: sluice.Unchanged},
		"applied by an earlier version": {live: []answer{liveSettings("1", "1", "sluice", "Apply")},
			patch:   []answer{own("2", "1"), own("3", "2")},
			outcome: sluice.Configured, patches: []string{"sluice-adopt", "sluice:shop"}},
		"equal to what a person has set": {live: []answer{theirs("2")},
			patch:   []answer{shared("2", "kubectl-set", "Update"), own("3", "2")},
			outcome: sluice.Configured, patches: []string{"sluice:shop", "sluice-adopt"}},
		"equal, and somebody wrote in between": {live: []answer{theirs("2"), shared("2", "kubectl-set", "Update")},
			patch: []answer{shared("2", "kubectl-set", "Update"), modified("configmaps", "settings"),
				own("4", "2")},
			outcome: sluice.Configured, patches: []string{"sluice:shop", "sluice-adopt", "sluice-adopt"}},
		"still shared with a person after a crash": {live: []answer{shared("2", "kubectl-set", "Update")},
			patch:   []answer{shared("2", "kubectl-set", "Update"), own("3", "2")},
			outcome: sluice.Configured, patches: []string{"sluice:shop", "sluice-adopt"}},
		"equal to what a controller has set": {live: []answer{liveSettings("1", "2", "argocd-controller", "Update")},
			patch:   []answer{shared("2", "argocd-controller", "Update")},
			outcome: sluice.Configured, patches: []string{"sluice:shop"}},
		"other than what a person has set": {live: []answer{theirs("1")},
			patch: []answer{owned("configmaps", "settings", [2]string{".data.a", "kubectl-set"})},
			code:  sluice.Conflict, text: `field .data.a is set by "kubectl-set" to "1", the manifest has "2"`,
			patches: []string{"sluice:shop"}},
		"other than a value shared with a person": {live: []answer{shared("1", "kubectl-set", "Update")},
			patch:   []answer{owned("configmaps", "settings", [2]string{".data.a", "kubectl-set"}), own("3", "2")},
			outcome: sluice.Configured, patches: []string{"sluice:shop", "sluice:shop by force"}},
		"other than a value shared with a person, who sets another one": {
			live: []answer{shared("1", "kubectl-set", "Update"), theirs("3")},
			patch: []answer{owned("configmaps", "settings", [2]string{".data.a", "kubectl-set"}),
				modified("configmaps", "settings"), owned("configmaps", "settings", [2]string{".data.a", "kubectl-set"})},
			code: sluice.Conflict, text: `to "3"`, patches: []string{"sluice:shop", "sluice:shop by force", "sluice:shop"}},
		"taken over": {live: []answer{theirs("1")}, takeOver: "kubectl-set",
			patch:   []answer{owned("configmaps", "settings", [2]string{".data.a", "kubectl-set"}), own("3", "2")},
			outcome: sluice.Configured, patches: []string{"sluice:shop", "sluice:shop by force"}},
		"another application's": {live: []answer{liveSettings("1", "1", "sluice:blog", "Apply")},
			patch: []answer{owned("configmaps", "settings", [2]string{".data.a", "sluice:blog"})},
			code:  sluice.Conflict, text: `field .data.a is set by application blog`, patches: []string{"sluice:shop dry"}},
		"more for another application's": {live: []answer{liveSettings("1", "1", "sluice:blog", "Apply")},
			patch: []answer{shared("2", "sluice:blog", "Apply")},
			code:  sluice.Conflict, text: `it belongs to application blog`, patches: []string{"sluice:shop dry"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			s.on(getSettings, test.live...)
			s.on(patchIt, test.patch...)
			w := s.Writer.For(sluice.Writing{Application: "shop", TakeOver: []string{test.takeOver}})
			now, outcome, err := w.Apply(t.Context(), object(t, settings), false)
			wantError(t, err, test.code, test.text)
			if err == nil && (outcome != test.outcome || now.Text("data", "a") != "2") {
				t.Errorf("%s %v, want %s", outcome, now, test.outcome)
			}
			if got := s.patches(); !slices.Equal(got, test.patches) {
				t.Errorf("patches %v, want %v", got, test.patches)
			}
		})
	}
}

// The value of a Secret is in no message, and the flag is one that a shell takes as it is.
func TestConflictsHintAtTheFlag(t *testing.T) {
	s := serve(t)
	const path = "/api/v1/namespaces/shop/secrets/login"
	live := `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"login","namespace":"shop","resourceVersion":"1",
		"managedFields":[{"manager":"my tool","operation":"Update","apiVersion":"v1","fieldsV1":{"f:data":{"f:a":{}}}}]},
		"data":{"a":"c2VjcmV0"}}`
	s.on("GET "+path, answer{body: live})
	s.on("PATCH "+path, owned("secrets", "login", [2]string{".data.a", "my tool"}))
	_, _, err := s.Writer.For(sluice.Writing{Application: "shop"}).Apply(t.Context(), object(t,
		`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"login","namespace":"shop"},"data":{"a":"b3RoZXI="}}`), true)
	wantError(t, err, sluice.Conflict, `field .data.a is set by "my tool"`)
	if strings.Contains(err.Error(), "c2VjcmV0") || !strings.Contains(sluice.ErrorHint(err), "--take-over 'my tool'") {
		t.Errorf("the error is %v, the hint %s", err, sluice.ErrorHint(err))
	}
}

func TestApplySendsWhatIsDeclared(t *testing.T) {
	s := serve(t)
	live := `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop",
		"resourceVersion":"1","managedFields":[
		{"manager":"sluice","operation":"Apply","apiVersion":"apps/v1","fieldsV1":{"f:spec":{"f:paused":{}}}},
		{"manager":"hpa","operation":"Update","apiVersion":"apps/v1","subresource":"scale",
			"fieldsV1":{"f:spec":{"f:replicas":{}}}}]},
		"spec":{"replicas":7,"paused":false}}`
	s.on("GET "+deployments+"web", answer{body: live})
	s.on("PATCH "+deployments+"web", answer{body: live})
	o := object(t, `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop","uid":"x",
		"resourceVersion":"5"},
		"spec":{"replicas":3,"paused":true},"status":{"replicas":3}}`)
	if _, _, err := s.Apply(t.Context(), o, false); err != nil {
		t.Fatal(err)
	}
	want := `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop"},` +
		`"spec":{"paused":true}}`
	if got := s.sent("PATCH ")[0].body; got != want {
		t.Errorf("sent %s, want %s", got, want)
	}
	if q := s.sent("PATCH ")[0].query; !strings.Contains(q, "fieldValidation=Strict") || !strings.Contains(q,
		"force=false") {
		t.Errorf("the query is %s", q)
	}
}

func TestApplyOfAKindThatIsUnknown(t *testing.T) {
	s := serve(t)
	unknown := failure(404, "NotFound", "the server could not find the requested resource", "")
	s.on("GET /apis/example.com/v1", unknown, answer{body: `{"resources":[{"name":"wides","kind":"Wide"}]}`}, unknown)
	o := object(t, `{"apiVersion":"example.com/v1","kind":"Wide","metadata":{"name":"w"}}`)
	_, _, err := s.Apply(t.Context(), o, false)
	wantError(t, err, sluice.Unsupported, "the cluster does not know the kind Wide of example.com/v1")
	// Its definition is there, and goes again.
	s.on("GET /apis/example.com/v1/wides/w", failure(404, "NotFound", "the server could not find the requested resource",
		""))
	_, _, err = s.Apply(t.Context(), o, false)
	wantError(t, err, sluice.Unsupported, "the cluster does not know the kind Wide of example.com/v1")
	_, _, err = s.Apply(t.Context(), o, false)
	wantError(t, err, sluice.Unsupported, "the cluster does not know the kind Wide of example.com/v1")
}

// A kind is waited for after its definition was applied: the API server serves it a moment later.
func TestApplyAfterADefinition(t *testing.T) {
	s := serve(t)
	const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/wides.example.com"
	crd := `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition",
		"metadata":{"name":"wides.example.com"},
		"spec":{"group":"example.com","names":{"kind":"Wide"},"versions":[{"name":"v1","served":true}]}}`
	s.on("GET /apis/apiextensions.k8s.io/v1", answer{body: `{"resources":[
		{"name":"customresourcedefinitions","kind":"CustomResourceDefinition"}]}`})
	s.on("GET "+definitions, notFound("customresourcedefinitions.apiextensions.k8s.io", "wides.example.com"))
	s.on("PATCH "+definitions, answer{body: crd})
	if _, _, err := s.Apply(t.Context(), object(t, crd), false); err != nil {
		t.Fatal(err)
	}
	s.on("GET /apis/example.com/v1", failure(404, "NotFound", "the server could not find the requested resource", ""),
		answer{body: `{"resources":[{"name":"wides","kind":"Wide"}]}`})
	s.on("GET /apis/example.com/v1/wides/w", answer{body: `{"apiVersion":"example.com/v1","kind":"Wide",
		"metadata":{"name":"w"}}`})
	if _, err := s.Get(t.Context(), sluice.Ref{APIVersion: "example.com/v1", Kind: "Wide", Name: "w"}); err != nil {
		t.Error(err)
	}
}

func TestApplyWithoutAName(t *testing.T) {
	_, _, err := serve(t).Apply(t.Context(), object(t, `{"apiVersion":"v1","kind":"ConfigMap"}`), false)
	wantError(t, err, sluice.Invalid, "a ConfigMap has no name")
}

func TestRestore(t *testing.T) {
	was := func(version, value string) answer {
		return answer{body: `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"settings","namespace":"shop","uid":"u",
			"resourceVersion":"` + version + `","managedFields":[{"manager":"sluice","operation":"Apply","apiVersion":"v1",
			"fieldsV1":{"f:data":{"f:a":{},"f:b":{}}}}]},"data":{"a":"` + value + `","b":"1","theirs":"x"}}`}
	}
	taken := answer{body: `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"settings","namespace":"shop",
		"uid":"u","resourceVersion":"3",
		"managedFields":[{"manager":"sluice","operation":"Apply","apiVersion":"v1","fieldsV1":{"f:data":{"f:b":{}}}},
		{"manager":"helm","operation":"Update","apiVersion":"v1","fieldsV1":{"f:data":{"f:a":{}}}}]},"data":{"a":"9",
			"b":"2"}}`}
	for name, test := range map[string]struct {
		live, patch []answer
		outcome     sluice.Outcome
		code        sluice.Code
		data        string // as it is applied
	}{
		"nothing changed but what the cluster counts": {live: []answer{was("2", "1")}, outcome: sluice.Unchanged},
		"changed": {live: []answer{was("2", "5"), was("2", "5")}, patch: []answer{was("3", "1")},
			outcome: sluice.Configured, data: `{"a":"1","b":"1"}`},
		"gone": {live: []answer{notFound("configmaps", "settings"), notFound("configmaps", "settings")},
			patch: []answer{was("3", "1")}, outcome: sluice.Created, data: `{"a":"1","b":"1","theirs":"x"}`},
		"taken over": {live: []answer{taken, taken}, patch: []answer{taken}, outcome: sluice.Unchanged,
			code: sluice.Conflict, data: `{"b":"1"}`},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t)
			s.on(getSettings, test.live...)
			s.on(patchIt, test.patch...)
			_, outcome, err := s.Restore(t.Context(), object(t, was("1", "1").body), false)
			wantError(t, err, test.code, `field .data.a is set by "helm"`)
			if outcome != test.outcome {
				t.Errorf("outcome %s, want %s", outcome, test.outcome)
			}
			for _, r := range s.sent("PATCH ") {
				if !strings.Contains(r.body, `"data":`+test.data+`,`) {
					t.Errorf("applied %s, want %s", r.body, test.data)
				}
			}
		})
	}
}

// Restore gives back what was taken over: it applies the value that was there before, and returns the field to its
// owner.
func TestRestoreGivesBack(t *testing.T) {
	theirs := `{"manager":"helm","operation":"Update","apiVersion":"v1","fieldsV1":{"f:data":{"f:a":{}}}}`
	ours := func(fields string) string {
		return `{"manager":"sluice:shop","operation":"Apply","apiVersion":"v1","fieldsV1":{"f:data":{` + fields + `}}}`
	}
	config := func(value, owners string) string {
		return `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"settings","namespace":"shop","uid":"u",
			"resourceVersion":"1","managedFields":[` + owners + `]},"data":{"a":"` + value + `","b":"1"}}`
	}
	was, both := config("1", ours(`"f:b":{}`)+","+theirs), ours(`"f:a":{},"f:b":{}`)
	for name, test := range map[string]struct {
		live    string
		patch   []answer
		outcome sluice.Outcome
		patches []string
	}{
		"the value and its owner": {config("2", both), []answer{{body: config("1", both)}, {body: was}}, sluice.Configured,
			[]string{"sluice:shop", "sluice-adopt"}},
		"the owner alone, after a crash": {config("1", both), []answer{{body: was}}, sluice.Configured,
			[]string{"sluice-adopt"}},
		"nothing, if all is back": {was, nil, sluice.Unchanged, nil},
	} {
		s := serve(t)
		s.may(getSettings, slices.Repeat([]answer{{body: test.live}}, 2)...)
		s.on(patchIt, test.patch...)
		w := s.Writer.For(sluice.Writing{Application: "shop", TakeOver: []string{"helm"}})
		now, outcome, err := w.Restore(t.Context(), object(t, was), false)
		if err != nil || outcome != test.outcome || now.Text("data", "a") != "1" {
			t.Errorf("%s: %s %v, %v", name, outcome, now, err)
		}
		if got := s.patches(); !slices.Equal(got, test.patches) {
			t.Errorf("%s: patches %v, want %v", name, got, test.patches)
		}
		for _, r := range s.sent("PATCH ") {
			isOwners := strings.HasPrefix(r.body, "[")
			if isOwners && (!strings.Contains(r.body, `"manager":"helm"`) || strings.Count(r.body, `"f:a"`) != 1) {
				t.Errorf("%s: the owners become %s", name, r.body)
			}
		}
	}
}

// Restore takes back what Scale changed: the number, and who owns it.
func TestRestoreGivesTheCountBack(t *testing.T) {
	entry := func(manager, operation, subresource string) string {
		return `{"manager":"` + manager + `","operation":"` + operation + `","subresource":"` + subresource +
			`","apiVersion":"apps/v1","fieldsV1":{"f:spec":{"f:replicas":{}}}}`
	}
	web := func(replicas, owners string) string {
		return `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop","uid":"u",
			"resourceVersion":"1","managedFields":[` + owners + `]},"spec":{"replicas":` + replicas + `}}`
	}
	scaled := entry("sluice-scale", "Update", "")
	paused := strings.Replace(entry("helm", "Update", ""), "replicas", "paused", 1)
	for name, test := range map[string]struct {
		was, live string // the owners
		replicas  string // now
		patches   []string
		outcome   sluice.Outcome
	}{
		"of somebody else": {entry("helm", "Update", ""), scaled, "0", []string{"sluice-scale", "sluice-adopt"},
			sluice.Configured},
		"of an autoscaler": {entry("hpa", "Update", "scale"), entry("sluice-scale-kept", "Update", ""), "0",
			[]string{"sluice-scale-kept", "sluice-adopt"}, sluice.Configured},
		"of nobody": {paused, paused + "," + scaled, "0", []string{"sluice-scale", "sluice-adopt"}, sluice.Configured},
		"of the application": {entry("sluice:shop", "Apply", ""), scaled, "0", []string{"sluice-scale", "sluice-adopt"},
			sluice.Configured},
		"only the owner, after a crash": {entry("helm", "Update", ""), scaled, "3", []string{"sluice-adopt"},
			sluice.Unchanged},
		"of Scale before": {scaled, scaled, "3", nil, sluice.Unchanged},
		"of others meanwhile": {entry("sluice:shop", "Apply", ""), entry("hpa", "Update", "scale"), "3", nil,
			sluice.Unchanged},
	} {
		s := serve(t)
		live, back := web(test.replicas, test.live), web("3", test.live)
		s.may("GET "+deployments+"web", slices.Concat(slices.Repeat([]answer{{body: live}}, 1+len(test.patches)/2),
			[]answer{{body: back}})...)
		s.on("PATCH "+deployments+"web", slices.Repeat([]answer{{body: back}}, len(test.patches))...)
		w := s.Writer.For(sluice.Writing{Application: "shop"})
		_, outcome, err := w.Restore(t.Context(), object(t, web("3", test.was)), false)
		if err != nil || outcome != test.outcome {
			t.Errorf("%s: %s, %v", name, outcome, err)
		}
		if got := s.patches(); !slices.Equal(got, test.patches) {
			t.Errorf("%s: patches %v, want %v", name, got, test.patches)
		}
		for _, r := range s.sent("PATCH ") {
			if !strings.HasPrefix(r.body, "[") {
				continue
			}
			owners := object(t, `{"list":`+r.body+`}`).List("list")[0].List("value")
			want := object(t, `{"list":[`+test.was+`]}`).List("list")
			if diff := cmp.Diff(want, owners); diff != "" {
				t.Errorf("%s: the owners become:\n%s", name, diff)
			}
		}
	}
}

func TestScale(t *testing.T) {
	web := func(replicas, managers string) answer {
		return answer{body: `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop",
			"managedFields":[` + managers + `]},"spec":{"replicas":` + replicas + `}}`}
	}
	const byHand = `{"manager":"kubectl","operation":"Update","subresource":"scale",
		"fieldsV1":{"f:spec":{"f:replicas":{}}}}`
	ref := sluice.Ref{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "web"}
	for name, test := range map[string]struct {
		live  answer
		patch []answer
		want  []string
		code  sluice.Code
	}{
		"as many": {web("3", ""), nil, nil, ""},
		"ours":    {web("5", ""), []answer{web("3", "")}, []string{"sluice-scale"}, ""},
		"by hand": {web("5", byHand), []answer{web("3", byHand)}, []string{"sluice-scale-kept"}, ""},
		"gone since": {web("5", ""), []answer{notFound("deployments.apps", "web")}, []string{"sluice-scale"},
			sluice.NotFound},
	} {
		s := serve(t)
		s.on("GET "+deployments+"web", test.live)
		s.on("PATCH "+deployments+"web", test.patch...)
		wantError(t, s.Scale(t.Context(), ref, 3), test.code, "web")
		if got := s.patches(); !slices.Equal(got, test.want) {
			t.Errorf("%s: patches %v, want %v", name, got, test.want)
		}
	}
	ref = sluice.Ref{APIVersion: "v1", Kind: "ConfigMap", Namespace: "shop", Name: "settings"}
	wantError(t, serve(t).Scale(t.Context(), ref, 3), sluice.Unsupported, "a ConfigMap has no number of replicas")
}

// A cluster refuses the strategy OnDelete beside the parameters that it filled in itself. Sluice claims them, which
// changes no value, so that its next apply removes them. A dry run can claim nothing.
func TestApplyRemovesAStrategyThatTheClusterFilledIn(t *testing.T) {
	const path = "/apis/apps/v1/namespaces/shop/statefulsets/db"
	state := func(strategy string) answer {
		return answer{body: `{"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"name":"db","namespace":"shop",
			"resourceVersion":"1","managedFields":[{"manager":"sluice","operation":"Apply","apiVersion":"apps/v1",
			"fieldsV1":{"f:spec":{"f:serviceName":{}}}}]},"spec":{"serviceName":"db","updateStrategy":` + strategy + `}}`}
	}
	filled := state(`{"type":"RollingUpdate","rollingUpdate":{"partition":0}}`)
	for name, test := range map[string]struct {
		dryRun bool
		bodies []string
	}{
		"for real": {false, []string{
			`"spec":{"serviceName":"db","updateStrategy":{"rollingUpdate":{"partition":0},"type":"RollingUpdate"}}`,
			`"spec":{"serviceName":"db","updateStrategy":{"type":"OnDelete"}}`}},
		"dry": {true, []string{`"spec":{"serviceName":"db"}`}},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t)
			s.on("GET "+path, slices.Repeat([]answer{filled}, len(test.bodies))...)
			s.on("PATCH "+path, append(slices.Repeat([]answer{filled}, len(test.bodies)-1), state(`{"type":"OnDelete"}`))...)
			o := object(t, `{"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"name":"db","namespace":"shop"},
				"spec":{"serviceName":"db","updateStrategy":{"type":"OnDelete"}}}`)
			now, outcome, err := s.Apply(t.Context(), o, test.dryRun)
			if err != nil || outcome != sluice.Configured ||
				now.Field("spec", "updateStrategy", "rollingUpdate") != nil {
				t.Fatalf("%s %v: %v", outcome, now.Field("spec", "updateStrategy"), err)
			}
			sent := s.sent("PATCH ")
			if len(sent) != len(test.bodies) {
				t.Fatalf("%d patches, want %d", len(sent), len(test.bodies))
			}
			for i, want := range test.bodies {
				if !strings.Contains(sent[i].body, want) {
					t.Errorf("patch %d is %s, want %s in it", i, sent[i].body, want)
				}
			}
		})
	}
}
