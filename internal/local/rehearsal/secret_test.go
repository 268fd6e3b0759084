package rehearsal

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/internal/template"
)

type oneSecret string

func (s oneSecret) Secret(context.Context, string) (string, error) { return string(s), nil }

// A secret is masked in every form in which a webhook may hold it.
func TestMaskKnowsHowSecretsAreWritten(t *testing.T) {
	const secret = "a \"b\"\n<c>&/é%"
	h := newHidden(oneSecret(secret), "")
	if _, err := h.Secret(t.Context(), "token"); err != nil {
		t.Fatal(err)
	}
	texts := []string{secret, url.QueryEscape(secret), url.PathEscape(secret)}
	for format, text := range map[*template.Format]string{
		&template.JSON: `{"a": "{{v}}"}`, &template.Form: "a={{v}}", &template.URL: "http://x/{{v}}?a={{v}}",
	} {
		written, err := template.Parse(text).Fill(*format, func(string) (string, error) { return secret, nil })
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, written)
	}
	for _, text := range texts[:3] {
		if got := h.mask(text); got != "{{secrets.token}}" {
			t.Errorf("%s is shown as %s", text, got)
		}
	}
	for _, text := range texts[3:] {
		if got := h.mask(text); !strings.Contains(got, "{{secrets.token}}") || strings.Contains(got, "b") {
			t.Errorf("%s is shown as %s", text, got)
		}
	}
}
