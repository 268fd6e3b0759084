package inbound

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
)

// A Preview is a Service of an account that everybody with the URL can see until it expires.
type Preview struct {
	Account   string    `json:"account"`
	Namespace string    `json:"namespace"`
	Service   string    `json:"service"`
	Port      int       `json:"port"`
	Expires   time.Time `json:"expires"`
}

// PreviewSecrets makes and proves the secrets in the URLs of previews.
type PreviewSecrets interface {
	Preview(shown string) string
	IsPreview(shown, secret string) bool
}

const previewPath = "/preview/"

// PreviewURL returns the URL under base at which the Service is shown, its secret included. It ends with a slash.
func PreviewURL(base string, secrets PreviewSecrets, p Preview) (string, error) {
	raw, err := json.Marshal(p)
	if err != nil {
		return "", sluice.Errorf(sluice.Invalid, "the preview of %s cannot be written: %w", p.Service, err)
	}
	shown := base64.RawURLEncoding.EncodeToString(raw)
	return strings.TrimRight(base, "/") + previewPath + shown + "." + secrets.Preview(shown) + "/", nil
}

// Previews shows Services:
//
//	any method /preview/{what}.{secret}/{path of the Service...}
//
// The answer to a wrong secret is 404, to an expired one 410. Pages that name their own files by absolute paths work:
// the first answer sets a cookie, and requests outside of any other path go to the Service that the cookie names.
type Previews struct {
	secrets PreviewSecrets
	carry   func(ctx context.Context, p Preview) (http.RoundTripper, error)
	now     func() time.Time
}

// NewPreviews returns the handler of previews. carry returns the transport to a Service.
func NewPreviews(
	secrets PreviewSecrets, carry func(context.Context, Preview) (http.RoundTripper, error), now func() time.Time,
) *Previews {
	return &Previews{secrets, carry, now}
}

// previewCookie names the cookie for the part of the URL between /preview/ and the path.
const previewCookie = "sluice-preview"

// ServeHTTP shows a Service's answer to one request.
func (v *Previews) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, path, direct := v.asked(r)
	p, ok := v.open(token)
	if !ok {
		writeJSON(w, http.StatusNotFound, refusal{Code: sluice.NotFound, Message: "there is no preview at this address"})
		return
	}
	if !v.now().Before(p.Expires) {
		message := "this preview of " + p.Service + " ended at " + p.Expires.UTC().Format(time.RFC3339)
		writeJSON(w, http.StatusGone, refusal{Code: sluice.Exhausted, Message: message})
		return
	}
	carrier, err := v.carry(r.Context(), p)
	if err != nil {
		writeError(w, err)
		return
	}
	if direct {
		http.SetCookie(w, &http.Cookie{Name: previewCookie, Value: token, Path: "/", Expires: p.Expires, HttpOnly: true,
			SameSite: http.SameSiteLaxMode})
	}
	v.proxy(carrier, p, path).ServeHTTP(w, r)
}

// asked returns which preview is asked for, and the path in it.
func (v *Previews) asked(r *http.Request) (token, path string, direct bool) {
	if rest, ok := strings.CutPrefix(r.URL.EscapedPath(), previewPath); ok {
		token, path, _ = strings.Cut(rest, "/")
		return token, "/" + path, true
	}
	c, err := r.Cookie(previewCookie)
	if err != nil {
		return "", "", false
	}
	return c.Value, r.URL.EscapedPath(), false
}

func (v *Previews) open(token string) (Preview, bool) {
	shown, secret, _ := strings.Cut(token, ".")
	if shown == "" || !v.secrets.IsPreview(shown, secret) {
		return Preview{}, false
	}
	raw, err := base64.RawURLEncoding.DecodeString(shown)
	if err != nil {
		return Preview{}, false
	}
	var p Preview
	return p, json.Unmarshal(raw, &p) == nil
}

func (v *Previews) proxy(carrier http.RoundTripper, p Preview, path string) http.Handler {
	host := p.Service + "." + p.Namespace
	return &httputil.ReverseProxy{
		Transport: carrier,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", host, host
			r.Out.URL.RawPath = path
			if plain, err := url.PathUnescape(path); err == nil {
				r.Out.URL.Path = plain
			}
			withoutCookie(r.Out)
			r.SetXForwarded()
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			writeError(w, sluice.Errorf(sluice.Unavailable, "%s does not answer: %w", p.Service, err))
		},
	}
}

// withoutCookie keeps the secret from the Service.
func withoutCookie(r *http.Request) {
	cookies := r.Cookies()
	r.Header.Del("Cookie")
	for _, c := range cookies {
		if c.Name != previewCookie {
			r.AddCookie(c)
		}
	}
}
