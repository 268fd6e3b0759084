package kubernetes_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

const (
	rulesReview  = "POST /apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
	accessReview = "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
)

// A right that the rules of the namespace clearly allow is not asked for by itself.
func TestReview(t *testing.T) {
	s := serve(t)
	s.on(rulesReview, answer{status: 201, body: `{"kind":"SelfSubjectRulesReview","status":{"incomplete":false,
		"resourceRules":[
		{"verbs":["get","list"],"apiGroups":[""],"resources":["pods"]},{"verbs":["get"],"apiGroups":[""],
			"resources":["secrets"],"resourceNames":["one"]}]}}`})
	s.on(accessReview, answer{status: 201, body: `{"kind":"SelfSubjectAccessReview","status":{"allowed":false}}`},
		answer{status: 201, body: `{"kind":"SelfSubjectAccessReview","status":{"allowed":false}}`})
	secret := sluice.Right{Verb: "get", Resource: "secrets", Namespace: "shop"}
	namespaces := sluice.Right{Verb: "create", Resource: "namespaces"}
	got, err := s.Review(t.Context(), []sluice.Right{{Verb: "list", Resource: "pods", Namespace: "shop"}, secret,
		namespaces})
	if d := cmp.Diff([]sluice.Right{secret, namespaces}, got); d != "" || err != nil {
		t.Errorf("%v: -want +got\n%s", err, d)
	}
	for _, r := range s.sent(accessReview) {
		if strings.Contains(r.body, `"pods"`) {
			t.Errorf("asked again: %s", r.body)
		}
	}
}

// Missing asks the cluster how it serves a kind, and names the subresource apart.
func TestMissing(t *testing.T) {
	s := serve(t)
	s.on(rulesReview, answer{status: 201, body: `{"status":{"resourceRules":[{"verbs":["*"],"apiGroups":["*"],
		"resources":["configmaps"]}]}}`})
	p := &sluice.Plan{
		Targets: []sluice.PlannedTarget{{Name: "production", Namespace: "shop"}},
		Steps: []sluice.PlannedStep{{ID: "production/x", Target: "production", StepSpec: sluice.StepSpec{
			Kind: sluice.KindApply, Apply: &sluice.Apply{Objects: []sluice.Object{object(t, settings)}}}}},
	}
	if got, err := s.Missing(t.Context(), p, "production"); len(got) > 0 || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	s.on(rulesReview, answer{status: 201, body: `{"status":{"resourceRules":[]}}`})
	s.on(accessReview, failure(500, "InternalError", "Internal error occurred: etcdserver: leader changed", ""))
	_, err := s.Review(t.Context(), []sluice.Right{{Verb: "get", Resource: "pods/log", Namespace: "shop"}})
	wantError(t, err, sluice.Unavailable, "leader changed")
	if body := s.sent(accessReview)[0].body; !strings.Contains(body, `"resource":"pods","subresource":"log"`) {
		t.Errorf("asked %s", body)
	}
}

func TestReach(t *testing.T) {
	s := serve(t)
	version := answer{body: `{"major":"1","minor":"34","gitVersion":"v1.34.4"}`}
	s.on("GET /version", version, version, failure(401, "Unauthorized", "Unauthorized", ""))
	got, err := s.Reach(t.Context())
	if err != nil || got.Version != "v1.34.4" || got.Latency <= 0 {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = s.Reach(t.Context())
	wantError(t, err, sluice.Unauthenticated, "the API server refuses the credentials of account east")
}
