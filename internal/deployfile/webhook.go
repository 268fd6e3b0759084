package deployfile

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/template"
)

func (p *parser) webhooks(f *fieldset) map[string]sluice.Webhook {
	all := map[string]sluice.Webhook{}
	for _, m := range f.maps("webhooks", "the webhook", "begin each webhook with a dash: - name: tests") {
		w := p.webhook(m)
		if _, twice := all[w.Name]; twice && w.Name != "" {
			p.warn(m.get("name"), codeDuplicateName, "remove the one above, or give each a name of its own",
				"there are two webhooks %s; this one is used", clip(w.Name))
		}
		all[w.Name] = w
	}
	return all
}

func (p *parser) webhook(f *fieldset) sluice.Webhook {
	w := sluice.Webhook{Pos: p.at(f.node), Name: f.name("name", "name the webhook")}
	if w.Name != "" {
		f.what = "the webhook " + clip(w.Name)
	}
	w.Method = f.word("method")
	w.URITemplate = f.name("uriTemplate", "write the address that is called")
	f.checkAddress("uriTemplate")
	w.NetworkMode = f.word("networkMode")
	w.AgentIdentifier = f.text("agentIdentifier")
	f.p.noTemplate(f.get("agentIdentifier"), f.of("agentIdentifier"), sluice.SeverityWarning)
	w.Headers = p.headers(f)
	w.RetryCount = f.whole("retryCount", 0)
	w.DisableCallback = f.bool("disableCallback")
	w.Timeout = f.duration("timeout")
	if m, ok := f.inner("bodyTemplate", "bodyTemplate of "+f.what); ok {
		w.Body = m.text("inline")
	}
	return w
}

func (p *parser) headers(f *fieldset) []sluice.Header {
	var headers []sluice.Header
	for _, m := range f.maps("headers", "the header", "write it as a list: - {key: Authorization, value: …}") {
		m.need("key", "name the header")
		m.need("value", "write its value")
		m.checkHeader()
		headers = append(headers, sluice.Header{Key: m.text("key"), Value: m.scalar("value")})
	}
	return headers
}

// checkAddress reports an address that no request can be sent to, whatever its variables are.
func (f *fieldset) checkAddress(key string) {
	n := f.get(key)
	if n == nil || n.Kind != yaml.ScalarNode || n.Value == "" || strings.HasPrefix(strings.TrimSpace(n.Value), "{{") {
		return
	}
	u, err := url.Parse(template.Tag.ReplaceAllString(strings.TrimSpace(n.Value), "x"))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		f.p.error(n, codeBadValue, "write it like https://ci.example.com/run", "%s is not an http or https address: %s",
			f.of(key), clip(n.Value))
	}
}

var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// checkHeader reports what cannot be sent as a header.
func (f *fieldset) checkHeader() {
	if n := f.get("key"); n != nil && n.Kind == yaml.ScalarNode && !headerName.MatchString(n.Value) {
		f.p.error(n, codeBadValue, "write a name such as Content-Type, without a colon", "%s cannot be the name of a header",
			shown(n))
	}
	n := f.get("value")
	if n == nil || n.Kind != yaml.ScalarNode {
		return
	}
	if i := strings.IndexFunc(n.Value, unicode.IsControl); i >= 0 && n.Value[i] != '\t' {
		f.p.error(n, codeBadValue, "write it on one line; >- folds lines, | keeps their ends",
			"the value of a header is one line, but this contains %U", []rune(n.Value[i:])[0])
	}
}
