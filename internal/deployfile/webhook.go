package deployfile

import "github.com/sluice-cd/sluice"

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
	w.NetworkMode = f.word("networkMode")
	w.AgentIdentifier = f.text("agentIdentifier")
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
		headers = append(headers, sluice.Header{Key: m.text("key"), Value: m.scalar("value")})
	}
	return headers
}
