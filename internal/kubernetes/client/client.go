// Package client sends requests to the API server of one cluster. It knows how to reach the server, which kinds it
// serves, who owns the fields of an object, and what the server's errors mean for Sluice. Start at [Open].
package client

import (
	"cmp"
	"net/http"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/sluice-cd/sluice"
)

// Options say which cluster an account is.
type Options struct {
	Name       string // of the account, for messages
	Kubeconfig string // a file; "": the one that kubectl would use, or the pod's own cluster if Sluice runs in a pod
	Context    string // of the kubeconfig; "": its current one
	InCluster  bool   // the cluster in which this process runs, whatever kubeconfig there is
	UserAgent  string
}

// A Client sends requests to one cluster. It is safe for concurrent use.
type Client struct {
	name        string       // of the account
	config      *rest.Config // as it was when the account was opened; the address stays
	credentials *credentials
	http        *http.Client // shares one connection pool
	dynamic     dynamic.Interface
	kinds       *kinds
}

// Open reads the configuration and does not contact the cluster. An unusable file or context is Invalid. A kubeconfig
// is read again when it changes.
func Open(o Options) (*Client, error) {
	if !o.InCluster {
		k, c, err := newKubeconfig(o)
		if err != nil {
			return nil, err
		}
		return open(o.Name, c, k)
	}
	c, err := rest.InClusterConfig()
	if err != nil {
		return nil, sluice.Errorf(sluice.Invalid, "account %s: this process does not run in a pod: %w", o.Name, err).
			WithHint("name a kubeconfig instead of inCluster, or run sluice in a pod with a service account")
	}
	return open(o.Name, tuned(c, cmp.Or(o.UserAgent, "sluice")), nil)
}

// tuned returns the configuration as every client uses it.
func tuned(c *rest.Config, userAgent string) *rest.Config {
	c.UserAgent = userAgent
	c.QPS = -1 // the API server limits its clients itself
	c.WarningHandler = rest.NoWarnings{}
	return c
}

// New returns a client for a configuration that stays as it is.
func New(name string, c *rest.Config) (*Client, error) { return open(name, c, nil) }

func open(name string, c *rest.Config, source *kubeconfig) (*Client, error) {
	sent, err := newCredentials(name, c, source)
	if err != nil {
		return nil, err
	}
	h := &http.Client{Transport: sent, Timeout: c.Timeout}
	d, err := dynamic.NewForConfigAndClient(c, h)
	if err != nil {
		return nil, sluice.Errorf(sluice.Invalid, "account %s: %w", name, err)
	}
	k := &kinds{served: map[string]map[string]Resource{}, expected: map[string]time.Time{}}
	return &Client{name: name, config: c, credentials: sent, http: h, dynamic: d, kinds: k}, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Name returns the name of the account.
func (c *Client) Name() string { return c.name }

// Config returns the configuration as it is now, for protocols other than plain HTTP.
func (c *Client) Config() *rest.Config {
	config, _ := c.credentials.current()
	return config
}

// tokenFile is where a pod finds its credentials. A process that uses them runs inside of the cluster.
const tokenFile = "/var/run/secrets/kubernetes.io/serviceaccount/token"

// IsInside reports whether this process runs in a pod of the cluster.
func (c *Client) IsInside() bool { return c.config.BearerTokenFile == tokenFile }
