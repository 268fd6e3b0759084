package secret

import (
	"encoding/base64"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
)

// Redacted stands in text for a secret.
const Redacted = "[redacted]"

const (
	minPart = 4 // bytes; a shorter text is only redacted as a whole word
	minLine = 8 // of a value with several lines; a shorter line is not secret by itself
)

// A Redactor knows the secrets that this process has read, and removes them from text in every usual spelling. It
// never redacts a value that also names something in a plan: messages would no longer say what they are about. The
// zero Redactor knows nothing, and nil learns nothing. It is safe for concurrent use.
type Redactor struct {
	mu      sync.RWMutex
	learned map[string]bool
	names   map[string]bool
	short   map[byte][]spelling   // those shorter than minPart, by their first byte
	long    map[string][]spelling // the others, by their first bytes
}

// A spelling is one way to write a value.
type spelling struct{ text, value string }

// Learn makes the redactor know the value from now on, and what others may repeat of it alone: its lines, what it
// stands for as base64, and the password if it is a URL.
func (r *Redactor) Learn(value string) {
	if r == nil || strings.TrimSpace(value) == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.learned[value] {
		return
	}
	if r.learned == nil {
		r.learned, r.short, r.long = map[string]bool{}, map[byte][]spelling{}, map[string][]spelling{}
	}
	r.learned[value] = true
	for _, part := range parts(value) {
		for _, text := range spellings(part) {
			r.lookFor(spelling{text, part})
		}
	}
}

func (r *Redactor) lookFor(s spelling) {
	if len(s.text) < minPart {
		r.short[s.text[0]] = append(r.short[s.text[0]], s)
		return
	}
	begin := s.text[:minPart]
	if !slices.Contains(r.long[begin], s) {
		r.long[begin] = append(r.long[begin], s)
	}
}

// knows reports whether the value is a secret.
func (r *Redactor) knows(value string) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.learned[value]
}

// commonplace matches values that hide nothing, since everybody tries them first, and that every other sentence holds.
var commonplace = regexp.MustCompile(`(?i)^(.|[0-9]{1,3}|true|false|yes|no|on|off|null)$`)

// parts returns the value and what others may repeat of it alone.
func parts(value string) []string {
	all := []string{value, strings.TrimSpace(value), strings.Join(strings.Fields(value), " ")}
	for line := range strings.Lines(value) {
		line = strings.TrimSpace(line)
		if len(line) >= minLine && !strings.HasPrefix(line, "-----") {
			all = append(all, line)
		}
	}
	all = append(all, passwordIn(strings.TrimSpace(value)))
	if plain, err := base64.StdEncoding.DecodeString(value); err == nil && len(plain) > 0 && utf8.Valid(plain) {
		all = append(all, parts(string(plain))...)
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(part string) bool {
		return strings.TrimSpace(part) == "" || commonplace.MatchString(part)
	})
}

// passwordIn returns the password in the URL, "" if there is none.
func passwordIn(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.User == nil {
		return ""
	}
	password, _ := u.User.Password()
	return password
}

// LearnSources learns every value that the configuration names and that can be read now.
func (r *Redactor) LearnSources(c *config.Config) {
	sources := []config.Source{c.Repository.Password, c.Server.Database}
	if i := c.Server.Identity; i != nil {
		sources = append(sources, i.ClientSecret)
	}
	for _, to := range c.Server.Receivers {
		sources = append(sources, to.Sources()...)
		if to.Webhook != nil {
			r.Learn(passwordIn(to.Webhook.URL))
		}
	}
	if s := c.Repository.S3; s != nil {
		sources = append(sources, s.AccessKey, s.SecretKey)
	}
	for _, s := range c.Secrets {
		sources = append(sources, s)
	}
	for _, m := range c.Metrics {
		sources = append(sources, m.Password, m.Bearer)
		r.Learn(passwordIn(m.URL))
	}
	for _, base := range c.Webhooks.Replace {
		r.Learn(passwordIn(base))
	}
	for _, s := range sources {
		if s.Env != "" || isRegular(s.File) {
			_, _ = r.Read(s) // its use reports why it cannot be read
		}
	}
}

// login matches the password in a URL, also in one that is not valid.
var login = regexp.MustCompile(`://[^\s:@/]*:([^\s@]+)@`)

// LearnURLs learns the passwords in the URLs of a text.
func (r *Redactor) LearnURLs(text string) {
	for _, m := range login.FindAllStringSubmatch(text, -1) {
		r.Learn(m[1])
	}
}

// Publish makes the redactor spare the names in the plan.
func (r *Redactor) Publish(p *sluice.Plan) {
	if r == nil || p == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.names == nil {
		r.names = map[string]bool{}
	}
	r.names[p.Application] = true
	for _, t := range p.Targets {
		r.names[t.Name], r.names[t.Account], r.names[t.Namespace] = true, true, true
	}
	for _, s := range p.Steps {
		if s.Apply == nil {
			continue
		}
		for _, o := range s.Apply.Objects {
			ref := o.Ref()
			r.names[ref.Kind], r.names[ref.Name], r.names[ref.Namespace] = true, true, true
		}
	}
}

// A span is a part of a text.
type span struct{ from, to int }

// Text returns the text without the secrets that the redactor knows. Where the text was cut off within a secret, the
// rest of the secret goes too.
func (r *Redactor) Text(text string) string {
	spans := r.find(text)
	if len(spans) == 0 {
		return text
	}
	var b strings.Builder
	end := 0
	for _, s := range spans {
		if s.from >= end {
			b.WriteString(text[end:s.from])
			b.WriteString(Redacted)
		}
		end = max(end, s.to)
	}
	b.WriteString(text[end:])
	return b.String()
}

// find returns where secrets stand in the text, in order. They may overlap.
func (r *Redactor) find(text string) []span {
	if r == nil {
		return nil
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(r.learned) == 0 {
		return nil
	}
	lower, ends := lowered(text), cuts(text)
	var spans []span
	add := func(s spelling, at span, found bool) {
		if found && !r.names[s.value] && !r.names[text[at.from:at.to]] {
			spans = append(spans, at)
		}
	}
	for i := range lower {
		for _, s := range r.short[lower[i]] {
			at := span{i, i + len(s.text)}
			add(s, at, strings.HasPrefix(lower[i:], s.text) && isWord(lower, at))
		}
		if len(lower)-i < minPart {
			continue
		}
		for _, s := range r.long[lower[i:i+minPart]] {
			to := s.end(lower, i, ends)
			add(s, span{i, max(i, to)}, to > 0)
		}
	}
	return spans
}

// end returns where the spelling that may begin at from ends: with its last character, or where the text was cut off
// within it. It is 0 if the spelling does not stand there.
func (s spelling) end(text string, from int, ends []cut) int {
	if strings.HasPrefix(text[from:], s.text) {
		return from + len(s.text)
	}
	for _, c := range ends {
		if c.at-from >= c.least && strings.HasPrefix(s.text, text[from:c.at]) {
			return c.at
		}
	}
	return 0
}

// A cut is where a text may have been cut off, and how much of a secret must stand there to be taken for its beginning.
type cut struct{ at, least int }

func cuts(text string) []cut {
	all := []cut{{len(text), 2 * minPart}}
	for _, mark := range []string{"…", "..."} {
		for from := 0; ; {
			i := strings.Index(text[from:], mark)
			if i < 0 {
				break
			}
			all = append(all, cut{len(strings.TrimRight(text[:from+i], " \"'")), minPart})
			from += i + len(mark)
		}
	}
	return all
}

// isWord reports whether neither a letter nor a digit stands directly before or after the span.
func isWord(text string, at span) bool {
	part := func(b byte) bool {
		return b >= utf8.RuneSelf || b == '_' || '0' <= b && b <= '9' || 'a' <= b && b <= 'z'
	}
	return (at.from == 0 || !part(text[at.from-1])) && (at.to == len(text) || !part(text[at.to]))
}

// lowered returns the text with small ASCII letters: hosts, hexadecimal digits and headers lose their case on the way.
func lowered(text string) string {
	b := []byte(text)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
