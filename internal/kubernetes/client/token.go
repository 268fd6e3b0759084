package client

import (
	"net/http"
	"strings"
	"sync"

	"k8s.io/client-go/rest"

	"github.com/sluice-cd/sluice/internal/regular"
)

// A kubeconfigToken is a token that stands in a kubeconfig. It is read again when the files have changed, so that a new
// one takes effect at once. Token files, certificate files and programs are handled by client-go. It is safe for
// concurrent use.
type kubeconfigToken struct {
	files []string
	load  func() (*rest.Config, error)

	mu      sync.Mutex
	content string
	token   string
}

// follow lets requests with the configuration carry the token that stands in the kubeconfig when they are sent.
func follow(c *rest.Config, files []string, load func() (*rest.Config, error)) {
	if c.BearerToken == "" || c.BearerTokenFile != "" {
		return
	}
	t := &kubeconfigToken{files: files, load: load, content: contents(files), token: c.BearerToken}
	c.BearerToken = ""
	c.Wrap(func(next http.RoundTripper) http.RoundTripper { return bearer{t, next} })
}

// contents returns what the files hold. A file that cannot be read counts as empty.
func contents(files []string) string {
	var all strings.Builder
	for _, file := range files {
		data, _ := regular.File(file, maxKubeconfig) // what it should hold is read elsewhere
		all.Write(data)
	}
	return all.String()
}

// current returns the token. While the kubeconfig cannot be used or has none, it is the previous one.
func (t *kubeconfigToken) current() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	content := contents(t.files)
	if content == t.content {
		return t.token
	}
	t.content = content
	if c, err := t.load(); err == nil && c.BearerToken != "" {
		t.token = c.BearerToken
	}
	return t.token
}

type bearer struct {
	token *kubeconfigToken
	next  http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Authorization") == "" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+b.token.current())
	}
	return b.next.RoundTrip(r)
}

// WrappedRoundTripper lets client-go close idle connections.
func (b bearer) WrappedRoundTripper() http.RoundTripper { return b.next }
