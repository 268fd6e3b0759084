package rights

import (
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/sluice-cd/sluice"
)

func TestAllows(t *testing.T) {
	rule := func(group, resource, verb string, names ...string) authorizationv1.ResourceRule {
		return authorizationv1.ResourceRule{APIGroups: []string{group}, Resources: []string{resource}, Verbs: []string{verb},
			ResourceNames: names}
	}
	log := sluice.Right{Verb: "get", Resource: "pods/log"}
	tests := map[string]struct {
		rule  authorizationv1.ResourceRule
		right sluice.Right
		want  bool
	}{
		"itself":                  {rule("", "pods/log", "get"), log, true},
		"everything":              {rule("*", "*", "*"), log, true},
		"every such subresource":  {rule("", "*/log", "get"), log, true},
		"the resource is not its": {rule("", "pods", "get"), log, false},
		"another verb":            {rule("", "pods/log", "list"), log, false},
		"another group":           {rule("apps", "pods/log", "get"), log, false},
		"only one object":         {rule("", "pods/log", "get", "web-0"), log, false},
	}
	for name, tt := range tests {
		if got := allows(tt.rule, tt.right); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestWebhookNamespace(t *testing.T) {
	for uri, want := range map[string]string{
		"http://hook:8080/x": "own", "http://hook.tools:8080/x": "tools", "https://hook.tools.svc.cluster.local/x": "tools",
		"http://{{context.host}}/x": "own", "http://hook.{{context.ns}}:80/": "own", "https://api.example.com/x": "",
	} {
		got, inside := webhookNamespace(uri, "own")
		if !inside {
			got = ""
		}
		if got != want {
			t.Errorf("%s is in %q, want %q", uri, got, want)
		}
	}
}
