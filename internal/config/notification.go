package config

import (
	"cmp"
	"net"
	"net/mail"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
)

// A Receiver is where notifications go. Exactly one of Webhook, Slack and Email is set.
type Receiver struct {
	Pos          sluice.Position
	Name         string
	Events       []sluice.NotificationKind // that it gets
	Applications []string                  // patterns; empty: all
	Webhook      *HookReceiver
	Slack        *SlackReceiver
	Email        *EmailReceiver
}

// The kinds of receivers.
const (
	ReceiverWebhook = "webhook"
	ReceiverSlack   = "slack"
	ReceiverEmail   = "email"
)

// Kind is one of the kinds of receivers.
func (r Receiver) Kind() string {
	switch {
	case r.Webhook != nil:
		return ReceiverWebhook
	case r.Slack != nil:
		return ReceiverSlack
	}
	return ReceiverEmail
}

// Sources are the secrets that the receiver needs.
func (r Receiver) Sources() (list []Source) {
	switch {
	case r.Webhook != nil:
		list = []Source{r.Webhook.Address, r.Webhook.Secret}
	case r.Slack != nil:
		list = []Source{r.Slack.Address}
	case r.Email != nil:
		list = []Source{r.Email.Password}
	}
	return slices.DeleteFunc(list, func(s Source) bool { return !s.IsSet() })
}

// A HookReceiver gets signed CloudEvents. Exactly one of URL and Address is set.
type HookReceiver struct {
	URL     string
	Address Source // of the URL, if it is a secret
	Secret  Source // with which the events are signed
	Format  string // FormatSluice or FormatCDEvents
}

// The formats of a HookReceiver.
const (
	FormatSluice   = "sluice"
	FormatCDEvents = "cdevents" // where CDEvents has a type
)

// A SlackReceiver gets messages as Slack's incoming webhooks do.
type SlackReceiver struct{ Address Source }

// An EmailReceiver gets one e-mail for each event.
type EmailReceiver struct {
	Server   string // host:port
	TLS      string // TLSStart, TLSDirect or TLSNone
	CAFile   string // PEM: certificates to trust besides the system's
	From     string
	To       []string
	Username string // "": the server lets in who does not log in
	Password Source
}

// How a connection to a mail server is encrypted.
const (
	TLSStart  = "starttls" // after it was opened; a server that cannot is not used
	TLSDirect = "tls"      // from the beginning
	TLSNone   = "none"     // to this machine only
)

func (r *reader) receivers(n *yaml.Node) (list []Receiver) {
	r.each(n, func(name string, n *yaml.Node) { list = append(list, r.receiver(name, n)) })
	slices.SortFunc(list, func(a, b Receiver) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

func (r *reader) receiver(name string, n *yaml.Node) Receiver {
	to := Receiver{Pos: r.pos(n), Name: name, Events: sluice.DefaultNotifications}
	found := r.mapping(n, fields{
		"events":        func(n *yaml.Node) { to.Events = r.events(n) },
		"applications":  func(n *yaml.Node) { to.Applications = r.patterns(n, "applications") },
		ReceiverWebhook: func(n *yaml.Node) { to.Webhook = r.hookReceiver(n) },
		ReceiverSlack:   func(n *yaml.Node) { to.Slack = r.slackReceiver(n) },
		ReceiverEmail:   func(n *yaml.Node) { to.Email = r.emailReceiver(n) },
	})
	kinds := 0
	for _, key := range []string{ReceiverWebhook, ReceiverSlack, ReceiverEmail} {
		if r.has(n, key) {
			kinds++
		}
	}
	if found && kinds != 1 && !(kinds == 0 && r.misspells(n)) { // one finding suffices
		r.fault(n, codeBadCombination, "write webhook: {...}, slack: {...} or email: {...}",
			"a receiver needs exactly one of webhook, slack and email")
	}
	return to
}

// misspells reports whether a key of the mapping is none of a receiver. That was reported.
func (r *reader) misspells(n *yaml.Node) bool {
	known := []string{"events", "applications", ReceiverWebhook, ReceiverSlack, ReceiverEmail}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if !slices.Contains(known, n.Content[i].Value) {
			return true
		}
	}
	return false
}

// events returns the kinds that any of the patterns matches, in the order of documents.
func (r *reader) events(n *yaml.Node) (kinds []sluice.NotificationKind) {
	var patterns []string
	found := r.items(n, func(n *yaml.Node) {
		p := r.pattern(n)
		if p != "" && !slices.ContainsFunc(sluice.NotificationKinds, matches(p)) {
			r.fault(n, codeBadValue, nearestEvent(p), "there is no event %s", yamldoc.Quote(p))
		}
		patterns = append(patterns, p)
	})
	if found && len(patterns) == 0 {
		r.fault(n, codeMissingKey, "remove events for the usual ones, or write [\"*\"] for all",
			"this list of events is empty")
	}
	for _, k := range sluice.NotificationKinds {
		if slices.ContainsFunc(patterns, func(p string) bool { return matches(p)(k) }) {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

func matches(pattern string) func(sluice.NotificationKind) bool {
	return func(k sluice.NotificationKind) bool {
		ok, err := path.Match(pattern, string(k))
		return ok && err == nil
	}
}

func nearestEvent(pattern string) string {
	known := make([]string, len(sluice.NotificationKinds))
	for i, k := range sluice.NotificationKinds {
		known[i] = string(k)
	}
	if near := yamldoc.Nearest(pattern, known); near != "" {
		return "did you mean " + near + "?"
	}
	return "known events: " + strings.Join(known, ", ")
}

func (r *reader) hookReceiver(n *yaml.Node) *HookReceiver {
	h := &HookReceiver{Format: FormatSluice}
	found := r.mapping(n, fields{
		"url": func(n *yaml.Node) {
			if n.Kind == yaml.MappingNode {
				h.Address = r.source(n)
				return
			}
			h.URL = r.url(n)
			r.mustBeSecure(n, h.URL, "others on the way could read the events")
		},
		"secret": func(n *yaml.Node) { h.Secret = r.source(n) },
		"format": func(n *yaml.Node) { h.Format = r.oneOf(n, FormatSluice, FormatCDEvents) },
	})
	if found && !r.has(n, "url") {
		r.fault(n, codeMissingKey, "add it, like url: https://hooks.example.com/sluice", "this webhook has no url")
	}
	if found && !r.has(n, "secret") {
		r.fault(n, codeMissingKey, "add it, like secret: {env: WEBHOOK_SECRET}; make one with: "+MakeHookSecret,
			"this webhook has no secret, with which its events are signed")
	}
	return h
}

// MakeHookSecret is a command that prints a secret for a webhook.
const MakeHookSecret = "echo whsec_$(openssl rand -base64 32)"

func (r *reader) slackReceiver(n *yaml.Node) *SlackReceiver {
	s := &SlackReceiver{}
	found := r.mapping(n, fields{"url": func(n *yaml.Node) { s.Address = r.source(n) }})
	if found && !r.has(n, "url") {
		r.fault(n, codeMissingKey, "add where to find it, like url: {env: SLACK_URL}; who knows it may post",
			"this receiver has no url")
	}
	return s
}

func (r *reader) emailReceiver(n *yaml.Node) *EmailReceiver {
	e := &EmailReceiver{}
	found := r.mapping(n, fields{
		"server":   func(n *yaml.Node) { e.Server = r.address(n) },
		"tls":      func(n *yaml.Node) { e.TLS = r.oneOf(n, TLSStart, TLSDirect, TLSNone) },
		"caFile":   func(n *yaml.Node) { e.CAFile = r.path(n) },
		"from":     func(n *yaml.Node) { e.From = r.mailbox(n) },
		"to":       func(n *yaml.Node) { r.items(n, func(n *yaml.Node) { e.To = append(e.To, r.mailbox(n)) }) },
		"username": func(n *yaml.Node) { e.Username = r.text(n) },
		"password": func(n *yaml.Node) { e.Password = r.source(n) },
	})
	host, port, _ := net.SplitHostPort(e.Server)
	if e.TLS == "" {
		if e.TLS = TLSStart; port == "465" {
			e.TLS = TLSDirect
		}
	}
	if found {
		r.checkEmail(n, e, host)
	}
	return e
}

func (r *reader) checkEmail(n *yaml.Node, e *EmailReceiver, host string) {
	for _, key := range []string{"server", "from", "to"} {
		if !r.has(n, key) {
			r.fault(n, codeMissingKey, "add "+key+"; docs/notifications.md has an example", "this e-mail has no %s", key)
		}
	}
	switch {
	case r.has(n, "to") && len(e.To) == 0:
		r.fault(n, codeMissingKey, "add them, like to: [team@example.com]", "this e-mail goes to nobody")
	case e.Password.IsSet() != (e.Username != ""):
		r.fault(n, codeBadCombination, "write username and password, or neither", "a login needs username and password")
	case e.TLS == TLSNone && !isLoopback(host):
		r.fault(n, codeBadCombination, "write tls: starttls", "%s would get e-mails without encryption", yamldoc.Quote(host))
	}
}

// mailbox returns the address of one mailbox.
func (r *reader) mailbox(n *yaml.Node) string {
	s := r.text(n)
	if _, err := mail.ParseAddress(s); s != "" && err != nil {
		r.fault(n, codeBadValue, "write it like team@example.com, or Team <team@example.com>",
			"%s is not an e-mail address", yamldoc.Quote(s))
	}
	return s
}
