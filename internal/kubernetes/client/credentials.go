package client

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"

	"github.com/sluice-cd/sluice"
)

// Credentials carry the requests of an account. Each request goes out with what the kubeconfig has when it is sent:
// its token, certificate or program. While the kubeconfig cannot be used, the previous credentials stay. A program is
// run again by client-go. It is safe for concurrent use.
type credentials struct {
	account string
	source  *kubeconfig // nil: they never change

	mu     sync.Mutex
	config *rest.Config
	next   http.RoundTripper
}

func newCredentials(account string, c *rest.Config, source *kubeconfig) (*credentials, error) {
	next, err := rest.TransportFor(c)
	if err != nil {
		return nil, sluice.Errorf(sluice.Invalid, "account %s: %w", account, err)
	}
	return &credentials{account: account, source: source, config: c, next: next}, nil
}

// current returns the configuration to use now and what sends requests with it. A connection belongs to the credentials
// with which it was opened, so new credentials get new connections.
func (c *credentials) current() (*rest.Config, http.RoundTripper) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.source == nil || !c.source.hasChanged() {
		return c.config, c.next
	}
	config, err := c.source.load()
	if err != nil || !c.mayFollow(config) {
		return c.config, c.next
	}
	next, err := rest.TransportFor(config)
	if err != nil {
		return c.config, c.next
	}
	utilnet.CloseIdleConnectionsFor(c.next)
	c.config, c.next = config, next
	return config, next
}

// mayFollow reports whether a configuration may replace the present one. The credentials of another server are not for
// this one, and a file without any is only half written.
func (c *credentials) mayFollow(config *rest.Config) bool {
	return config.Host == c.config.Host && (hasAny(config) || !hasAny(c.config))
}

func hasAny(c *rest.Config) bool {
	return c.BearerToken != "" || c.BearerTokenFile != "" || len(c.CertData) > 0 || c.Username != "" ||
		c.ExecProvider != nil || c.AuthProvider != nil
}

// RoundTrip implements http.RoundTripper.
func (c *credentials) RoundTrip(r *http.Request) (*http.Response, error) {
	_, next := c.current()
	resp, err := next.RoundTrip(r)
	if err != nil && strings.Contains(err.Error(), "getting credentials") {
		return nil, c.missing(err)
	}
	if err == nil && resp.StatusCode == http.StatusUnauthorized {
		return c.refused(resp)
	}
	return resp, err
}

// CloseIdleConnections is what http.Client calls.
func (c *credentials) CloseIdleConnections() {
	c.mu.Lock()
	defer c.mu.Unlock()
	utilnet.CloseIdleConnectionsFor(c.next)
}

// refused returns the error if the API server itself answered. A Service behind its proxy may answer the same status.
func (c *credentials) refused(resp *http.Response) (*http.Response, error) {
	said, err := io.ReadAll(io.LimitReader(resp.Body, MaxFailure))
	_ = resp.Body.Close() // it has been read
	if err != nil {
		return nil, err
	}
	if !HasStatus(ParseStatus(said), http.StatusUnauthorized) {
		resp.Body = io.NopCloser(bytes.NewReader(said))
		return resp, nil
	}
	e := sluice.Errorf(sluice.Unauthenticated, "the API server refuses the credentials of account %s%s",
		c.account, c.source.readAgain())
	return nil, e.WithHint("replace what has ended; see whether it works with: sluice doctor")
}

// missing returns the error for a program that gave no credentials.
func (c *credentials) missing(err error) error {
	return sluice.Errorf(sluice.Unauthenticated, "account %s has no credentials%s: %w",
		c.account, c.source.readAgain(), err).
		WithHint("run the command that the kubeconfig names under exec by hand")
}

// readAgain says what somebody may change to replace the credentials.
func (k *kubeconfig) readAgain() string {
	if k == nil {
		return ""
	}
	return fmt.Sprintf("; %s is read again when it changes", strings.Join(k.rules.GetLoadingPrecedence(), ", "))
}
