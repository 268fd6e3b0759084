// Package client sends requests to the API server of one cluster. It knows how to reach the server, which kinds it
// serves, who owns the fields of an object, and what the server's errors mean for Sluice. Start at [Open].
package client

import (
	"cmp"
	"errors"
	"io/fs"
	"net/http"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/regular"
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
	name    string // of the account
	config  *rest.Config
	http    *http.Client // shares one connection pool
	dynamic dynamic.Interface
	kinds   *kinds
}

// Open reads the configuration and does not contact the cluster. An unusable file or context is Invalid.
func Open(o Options) (*Client, error) {
	c, err := clientConfig(o)
	if err != nil {
		return nil, err
	}
	c.UserAgent = cmp.Or(o.UserAgent, "sluice")
	c.QPS = -1 // the API server limits its clients itself
	c.WarningHandler = rest.NoWarnings{}
	return New(o.Name, c)
}

// New returns a client for the configuration of an account.
func New(name string, c *rest.Config) (*Client, error) {
	h, err := rest.HTTPClientFor(c)
	if err != nil {
		return nil, sluice.Errorf(sluice.Invalid, "account %s: %w", name, err)
	}
	d, err := dynamic.NewForConfigAndClient(c, h)
	if err != nil {
		return nil, sluice.Errorf(sluice.Invalid, "account %s: %w", name, err)
	}
	k := &kinds{served: map[string]map[string]Resource{}, expected: map[string]time.Time{}}
	return &Client{name: name, config: c, http: h, dynamic: d, kinds: k}, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Name returns the name of the account.
func (c *Client) Name() string { return c.name }

// Config returns the configuration, for protocols other than plain HTTP.
func (c *Client) Config() *rest.Config { return c.config }

// tokenFile is where a pod finds its credentials. A process that uses them runs inside of the cluster.
const tokenFile = "/var/run/secrets/kubernetes.io/serviceaccount/token"

// IsInside reports whether this process runs in a pod of the cluster.
func (c *Client) IsInside() bool { return c.config.BearerTokenFile == tokenFile }

// maxKubeconfig is far above the size of any kubeconfig.
const maxKubeconfig = 16 << 20

func clientConfig(o Options) (*rest.Config, error) {
	if o.InCluster {
		c, err := rest.InClusterConfig()
		if err != nil {
			return nil, sluice.Errorf(sluice.Invalid, "account %s: this process does not run in a pod: %w", o.Name, err).
				WithHint("name a kubeconfig instead of inCluster, or run sluice in a pod with a service account")
		}
		return c, nil
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.Kubeconfig
	for _, file := range rules.GetLoadingPrecedence() {
		if _, err := regular.File(file, maxKubeconfig); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, sluice.Errorf(sluice.Invalid, "account %s: the kubeconfig %s cannot be read: %w", o.Name, file, err).
				WithHint("name a kubeconfig file under accounts in sluice.yaml")
		}
	}
	overrides := &clientcmd.ConfigOverrides{CurrentContext: o.Context}
	load := func() (*rest.Config, error) {
		return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides).ClientConfig()
	}
	c, err := load()
	if err != nil {
		return nil, sluice.Errorf(sluice.Invalid, "account %s: %w", o.Name, err).
			WithHint("name a kubeconfig file and one of its contexts under accounts in sluice.yaml; " +
				"list them with: kubectl config get-contexts")
	}
	follow(c, rules.GetLoadingPrecedence(), load)
	return c, nil
}
