package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/template"
)

// checkVariables warns of variables that neither the file nor the step nor the command line defines. The engine refuses
// them before anything starts.
func (c *compiler) checkVariables(s sluice.PlannedStep) {
	var own map[string]string
	var templates []string
	switch {
	case s.RunWebhook != nil && s.RunWebhook.Webhook != nil:
		w := s.RunWebhook.Webhook
		own, templates = s.RunWebhook.Context, []string{w.URITemplate, w.Body}
		for _, h := range w.Headers {
			templates = append(templates, h.Value)
		}
	case s.Analysis != nil:
		own = s.Analysis.Context
		for _, q := range s.Analysis.Resolved {
			templates = append(templates, q.Template)
		}
	}
	known := map[string]string{}
	maps.Copy(known, c.spec.Context)
	maps.Copy(known, own)
	for _, m := range template.Tag.FindAllStringSubmatch(strings.Join(templates, "\n"), -1) {
		name, ok := strings.CutPrefix(m[1], "context.")
		if _, defined := known[name]; defined || !ok {
			continue
		}
		c.warn(s.Pos, codeUndefinedVariable, fmt.Sprintf("{{context.%s}} is not defined, but %s uses it", name, user(s)),
			"define it below context: of the step or the file, or with --add-context; defined: "+
				cmp.Or(strings.Join(slices.Sorted(maps.Keys(known)), ", "), "none"))
	}
}

// user names the owner of the template.
func user(s sluice.PlannedStep) string {
	if s.RunWebhook != nil {
		return "the webhook " + quote(s.RunWebhook.Name)
	}
	return "a query of the analysis"
}
