package rehearsal

import (
	"cmp"
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/template"
)

// hidden returns secrets, makes up those that do not exist, and masks all of them in everything that is shown.
type hidden struct {
	secrets sluice.Secrets
	address string // the secret that a URL begins with: it must look like one

	mu     sync.Mutex
	values map[string]string // by value: what is shown instead
}

func newHidden(secrets sluice.Secrets, uriTemplate string) *hidden {
	h := &hidden{secrets: secrets, values: map[string]string{}}
	if name, ok := strings.CutPrefix(template.Parse(uriTemplate).First(), "secrets."); ok {
		h.address = name
	}
	return h
}

// Secret returns the value, or a placeholder if there is none.
func (h *hidden) Secret(ctx context.Context, name string) (string, error) {
	value, err := h.secrets.Secret(ctx, name)
	if sluice.ErrorCode(err) == sluice.NotFound {
		value, err = h.placeholder(name), nil
	}
	if err != nil {
		return "", err
	}
	h.hide(value, "{{secrets."+name+"}}")
	return value, nil
}

func (h *hidden) placeholder(name string) string {
	if name == h.address {
		return "https://rehearsal.invalid/" + url.PathEscape(name)
	}
	return "rehearsed-" + name
}

// hide replaces the value from now on when something is shown.
func (h *hidden) hide(value, shown string) {
	if value == "" {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.values[value] = shown
}

// mask replaces every value that was handed out, also as JSON or a URL writes it, the longest first.
func (h *hidden) mask(text string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	longest := func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) }
	for _, v := range slices.SortedFunc(maps.Keys(h.values), longest) {
		for _, written := range append(template.Written(v), url.QueryEscape(v), url.PathEscape(v)) {
			text = strings.ReplaceAll(text, written, h.values[v])
		}
	}
	return text
}
