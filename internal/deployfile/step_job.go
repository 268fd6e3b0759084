package deployfile

import (
	"regexp"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice"
)

var objectName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*(\.[a-z0-9.-]+)?/[^/\s]+$`)

func (p *parser) runJob(f *fieldset) *sluice.RunJob {
	s := &sluice.RunJob{
		Name: f.name("name", "name the job"), Path: f.text("path"), Inline: f.text("inline"), Timeout: f.duration("timeout"),
	}
	p.oneOf(f, "path", "inline")
	return s
}

// oneOf reports a map that does not have exactly one of the two keys, with a text.
func (p *parser) oneOf(f *fieldset, a, b string) {
	switch {
	case f.has(a) && f.has(b):
		p.error(f.keys[b], codeBadCombination, "keep one of them", "%s has both %s and %s", f.what, a, b)
	case !f.has(a) && !f.has(b):
		p.error(f.node, codeMissingKey, "write "+a+": or "+b+":", "%s has neither %s nor %s", f.what, a, b)
	default:
		for _, key := range []string{a, b} {
			if v := f.get(key); v != nil && v.Value == "" && v.Kind == yaml.ScalarNode {
				p.error(v, codeMissingKey, "write a text, or remove the key", "%s is empty", f.of(key))
			}
		}
	}
}

func (p *parser) waitFor(f *fieldset) *sluice.WaitFor {
	s := &sluice.WaitFor{
		Object: f.objectName("object", true), Namespace: f.text("namespace"), Condition: f.text("condition"),
		JSONPath: f.text("jsonPath"), Value: f.scalar("value"), Timeout: f.duration("timeout"),
	}
	p.oneOf(f, "condition", "jsonPath")
	if f.has("value") && !f.has("jsonPath") {
		p.error(f.keys["value"], codeBadCombination, "add jsonPath:, or write condition:", "value needs a jsonPath")
	}
	for _, m := range f.maps("failWhen", "failWhen", "write it as a list: - {jsonPath: …, value: …}") {
		m.need("value", "write the value that cannot heal")
		s.FailWhen = append(s.FailWhen, sluice.FailWhen{JSONPath: m.name("jsonPath", "write a path such as {.status.phase}"),
			Value: m.scalar("value")})
	}
	return s
}

// objectName returns a text of the form Kind/name.
func (f *fieldset) objectName(key string, required bool) string {
	if required && !f.need(key, "write it as Kind/name, such as StatefulSet/mongo") {
		return ""
	}
	s := f.text(key)
	if s != "" && !objectName.MatchString(s) {
		f.p.error(f.get(key), codeBadValue, "write it like StatefulSet/mongo", "%s is %s", f.of(key), quote(s))
	}
	return s
}
