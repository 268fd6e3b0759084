package deployfile

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/template"
)

// longestName is the most bytes that a user's own name may have: every event and many names derived from it carry it.
const longestName = 253

// A rule is what a kind of name must be.
type rule struct {
	form    *regexp.Regexp // that Kubernetes demands; nil: any printable text
	longest int
	letters string // what may stand in it
	ends    string // what it begins and ends with
}

var (
	// ownName is chosen by a user, here or in another file.
	ownName = &rule{longest: longestName}
	// namespaceName is a label of RFC 1123.
	namespaceName = &rule{regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`), 63, "a-z, 0-9 and -",
		"a letter or digit at both ends"}
	// serviceName is a label of RFC 1035.
	serviceName = &rule{regexp.MustCompile(`^[a-z]([-a-z0-9]*[a-z0-9])?$`), 63, "a-z, 0-9 and -",
		"a letter at the beginning and a letter or digit at the end"}
	// resourceName is a subdomain of RFC 1123.
	resourceName = &rule{regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`), 253,
		"a-z, 0-9, - and .", "a letter or digit at both ends"}
)

// check reports a text that its key does not take although it is text.
func (p *parser) check(v value, n *yaml.Node, what string) {
	if n.Kind != yaml.ScalarNode || n.Value == "" || n.ShortTag() != "!!str" {
		return
	}
	if v.template != "" {
		p.template(n, v.template)
	}
	if v.rule == nil {
		return
	}
	if template.Tag.MatchString(n.Value) {
		p.noTemplate(n, what, sluice.SeverityError)
		return
	}
	p.checkName(n, what)
	if r := v.rule; r.form != nil {
		p.checkRule(n, what, r)
	}
}

// noTemplate reports a variable in a text that is not a template.
func (p *parser) noTemplate(n *yaml.Node, what string, severity sluice.Severity) {
	if n == nil || !template.Tag.MatchString(n.Value) {
		return
	}
	p.add(p.at(n), severity, codeBadTemplate, "write the value itself",
		fmt.Sprintf("%s is not a template, so %s is not filled in", what, clip(template.Tag.FindString(n.Value))))
}

// checkName reports a name that nobody could read, type or find again.
func (p *parser) checkName(n *yaml.Node, what string) {
	at := strings.IndexFunc(n.Value, func(r rune) bool { return !unicode.IsPrint(r) })
	switch {
	case at >= 0:
		r, _ := utf8.DecodeRuneInString(n.Value[at:])
		p.error(n, codeBadName, "remove it", "%s contains the invisible character %U", what, r)
	case strings.TrimSpace(n.Value) != n.Value:
		p.error(n, codeBadName, "remove the space", "%s begins or ends with a space", what)
	case len(n.Value) > longestName:
		p.error(n, codeBadName, "choose a shorter name", "%s has %d bytes, more than %d", what, len(n.Value), longestName)
	}
}

func (p *parser) checkRule(n *yaml.Node, what string, r *rule) {
	switch {
	case len(n.Value) > r.longest:
		p.error(n, codeBadName, fmt.Sprintf("write at most %d characters", r.longest),
			"Kubernetes refuses %s: it has %d characters", what, len(n.Value))
	case !r.form.MatchString(n.Value):
		p.error(n, codeBadName, "write "+r.letters+", with "+r.ends, "Kubernetes refuses %s: %s", what, clip(n.Value))
	}
}

func shown(n *yaml.Node) string {
	if n.Value == "" {
		return "an empty text"
	}
	return clip(n.Value)
}

// checkKey reports a variable of a context whose name no template could contain.
func (p *parser) checkKey(n *yaml.Node) {
	if !template.Name.MatchString("context." + n.Value) {
		p.error(n, codeBadName, "write letters, digits, -, _ and .", "no template can name the variable %s", shown(n))
	}
}
