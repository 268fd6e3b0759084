package kubernetes_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
)

func TestDelete(t *testing.T) {
	config := func(uid, more string) string {
		return `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"settings","namespace":"shop","uid":"` + uid + `",
			"resourceVersion":"1"` + more + `}}`
	}
	live, other := answer{body: config("u", "")}, answer{body: config("v", "")}
	gone := notFound("configmaps", "settings")
	deleted := answer{body: `{"kind":"Status","apiVersion":"v1","status":"Success"}`}
	const watchPath = "WATCH /api/v1/namespaces/shop/configmaps"
	for name, test := range map[string]struct {
		get, del, watch []answer
		want            []string
	}{
		"nothing there": {[]answer{gone}, nil, nil, []string{getSettings}},
		"gone at once": {[]answer{live, gone}, []answer{deleted}, nil, []string{getSettings, "DELETE " + settingsPath,
			getSettings}},
		"gone in between": {[]answer{live}, []answer{gone}, nil, []string{getSettings, "DELETE " + settingsPath}},
		"another one under its name": {[]answer{live, other}, []answer{failure(409, "Conflict",
			"the UID in the precondition (u) does not match "+
				"the UID in record (v). The object might have been deleted and then recreated",
			`"name":"settings","kind":"configmaps"`)}, nil,
			[]string{getSettings, "DELETE " + settingsPath, getSettings}},
		"gone after a while": {[]answer{live, live}, []answer{deleted},
			[]answer{{body: frame("MODIFIED", config("u", `,"finalizers":["x"]`)) + frame("DELETED", config("u", ""))}},
			[]string{getSettings, "DELETE " + settingsPath, getSettings, watchPath}},
		"gone while the connection was broken": {[]answer{live, live, gone}, []answer{deleted}, []answer{{ends: true}},
			[]string{getSettings, "DELETE " + settingsPath, getSettings, watchPath, getSettings}},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t)
			s.on(getSettings, test.get...)
			s.on("DELETE "+settingsPath, test.del...)
			s.on(watchPath, test.watch...)
			if err := s.Delete(s.soon(), object(t, settings).Ref()); err != nil {
				t.Fatal(err)
			}
			s.order(test.want...)
			for _, r := range s.sent("DELETE ") {
				if !strings.Contains(r.body, `"preconditions":{"uid":"u"}`) || !strings.Contains(r.body,
					`"propagationPolicy":"Background"`) {
					t.Errorf("deleted with %s", r.body)
				}
			}
		})
	}
}

// What holds an object back is named at the caller's deadline.
func TestDeleteThatIsHeldBack(t *testing.T) {
	s := serve(t)
	held := `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop","uid":"u","resourceVersion":"1"},
		"spec":{"finalizers":["kubernetes"]},
		"status":{"conditions":[{"type":"NamespaceContentRemaining","status":"True",
			"message":"Some resources are remaining: pods. has 1 resource instances"}]}}`
	s.on("GET /api/v1/namespaces/shop", answer{body: held}, answer{body: held})
	s.on("DELETE /api/v1/namespaces/shop", answer{body: held})
	s.on("WATCH /api/v1/namespaces", answer{})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := s.Delete(ctx, sluice.Ref{APIVersion: "v1", Kind: "Namespace", Name: "shop"})
	wantError(t, err, sluice.Failed,
		"it waits for the finalizer kubernetes; Some resources are remaining: pods. has 1 resource instances")
}

func TestDeleteOfAnUnknownKind(t *testing.T) {
	s := serve(t)
	s.on("GET /apis/example.com/v1", failure(404, "NotFound", "the server could not find the requested resource", ""))
	if err := s.Delete(t.Context(), sluice.Ref{APIVersion: "example.com/v1", Kind: "Wide", Name: "w"}); err != nil {
		t.Error(err)
	}
}
