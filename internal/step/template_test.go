package step_test

import (
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/template"
)

// The variables that a deploy file may use are those that steps fill in.
func TestEveryVariableIsFilledIn(t *testing.T) {
	all := func(at template.Place) string { return "{{" + strings.Join(template.Variables(at), "}}{{") + "}}" }
	b := newBench().add("after/0", calling(sluice.Webhook{Name: "tests", URITemplate: "http://x",
		Body: all(template.Webhook)}))
	b.deps.Callbacks = callbacks
	b.must(t, "after/0")

	b = newBench().add("canary/0", analysing(func(a *sluice.Analysis) { a.Resolved[0].Template = all(template.Query) }))
	b.deps.Metrics = map[string]sluice.Metrics{"prometheus": answers{}}
	b.must(t, "canary/0")
}
