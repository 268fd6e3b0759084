package template_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/internal/template"
)

func TestCheck(t *testing.T) {
	for text, want := range map[string][]string{
		"":                            nil,
		`{"a": {"b": {{context.x}}}}`: nil,
		"{{ secrets.a-b.c }}{{\tarmory.preview.shop-internal}}": nil,
		"sum(rate(x{a=\"b\"}[5m]))":                             nil,
		"{{armory.callbackUri}}/callback":                       nil,
		"{{TF_WS_ID}}": {"there is no variable {{TF_WS_ID}}: write {{context.NAME}} for a value of the file, " +
			"{{secrets.NAME}} for a secret, or one of: armory.accountName, armory.applicationName, armory.deploymentId, " +
			"armory.environmentName, armory.namespace, armory.pipelineId, armory.replicaSetName, armory.callbackUri"},
		"{{ contex.x }}":   {"there is no variable {{ contex.x }}: did you mean {{context.x}}?"},
		"{{secret.token}}": {"there is no variable {{secret.token}}: did you mean {{secrets.token}}?"},
		"{{armory.enviromentName}}": {
			"there is no variable {{armory.enviromentName}}: did you mean {{armory.environmentName}}?"},
		"{{environmentName}}":  {"there is no variable {{environmentName}}: did you mean {{armory.environmentName}}?"},
		"{{context.x | json}}": {"{{context.x | json}} uses a filter, and there are none: write {{context.x}}"},
		"{{#context.x}}": {
			"{{#context.x}} is not a variable: write {{name}}: sections, partials and expressions are not supported"},
		"{{{context.x}}}": {"{{{context.x}}} has three braces: write {{context.x}}; nothing is escaped"},
		"{{armory.intervalSeconds}}": {
			"{{armory.intervalSeconds}} exists only in queries: remove it here"},
		"a {{secrets.x} b": {"a brace of {{secrets.x is missing: write {{secrets.x}}"},
		"a {{secrets.x":    {"a brace of {{secrets.x is missing: write {{secrets.x}}"},
		"a {secrets.x}} b": {"a brace of {secrets.x}} is missing: write {{secrets.x}}"},
		"a secrets.x}} b":  {"a brace of secrets.x}} is missing: write {{secrets.x}}"},
		"{{secrets.x} {{contxt.y}}": {
			"a brace of {{secrets.x is missing: write {{secrets.x}}",
			"there is no variable {{contxt.y}}: did you mean {{context.y}}?"},
	} {
		var got []string
		for _, m := range template.Check(text, template.Webhook) {
			got = append(got, m.Message+": "+m.Hint)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", text, diff)
		}
	}
}
