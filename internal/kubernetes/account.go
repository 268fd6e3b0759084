package kubernetes

import (
	"cmp"
	"context"
	"net/http"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/sluice-cd/sluice"
)

// Options say which cluster an account is.
type Options struct {
	Name       string // of the account, for messages
	Kubeconfig string // a file; "": what kubectl would use, or the pod's own cluster where Sluice runs in one
	Context    string // of the kubeconfig; "": its current one
	InCluster  bool   // the cluster that this process is a pod of, whatever kubeconfig there is
	UserAgent  string
}

// An Account is a Kubernetes cluster. It is safe for concurrent use.
type Account struct {
	name        string
	config      *rest.Config
	http        *http.Client // shares one connection pool
	dynamic     dynamic.Interface
	mapper      *mapper
	hub         *hub
	replicaSets *replicaSets

	forwards forwards
}

// Open reads the configuration; it does not reach for the cluster. A file or context that cannot be used is Invalid.
func Open(_ context.Context, o Options) (*Account, error) {
	c, err := restConfig(o)
	if err != nil {
		return nil, err
	}
	h, err := rest.HTTPClientFor(c)
	if err != nil {
		return nil, sluice.Errorf(sluice.Invalid, "account %s: %w", o.Name, err)
	}
	d, err := dynamic.NewForConfigAndClient(c, h)
	if err != nil {
		return nil, sluice.Errorf(sluice.Invalid, "account %s: %w", o.Name, err)
	}
	a := &Account{name: o.Name, config: c, http: h, dynamic: d, mapper: newMapper(c, h)}
	a.hub, a.replicaSets = newHub(a), &replicaSets{account: a, known: map[string]replicaSet{}}
	return a, nil
}

// Abilities returns what the account can do. It has no volumes: the claims of a cluster have no generations.
func (a *Account) Abilities() sluice.Account {
	return sluice.Account{ClusterReader: a, ClusterWriter: a, Host: a, Network: a, Shifter: a, Reviewer: a}
}

// Close ends what the account keeps open on this machine. Nothing in the cluster changes.
func (a *Account) Close() error {
	a.hub.close()
	a.forwards.close()
	a.http.CloseIdleConnections()
	return nil
}

func restConfig(o Options) (*rest.Config, error) {
	c, err := clientConfig(o)
	if err != nil {
		return nil, err
	}
	c.UserAgent = cmp.Or(o.UserAgent, "sluice")
	c.QPS = -1 // the API server's own fairness decides
	c.WarningHandler = rest.NoWarnings{}
	return c, nil
}

func clientConfig(o Options) (*rest.Config, error) {
	if o.InCluster {
		c, err := rest.InClusterConfig()
		if err != nil {
			return nil, sluice.Errorf(sluice.Invalid, "account %s: this process is no pod of a cluster: %w", o.Name, err).
				WithHint("name a kubeconfig in the place of inCluster, or run sluice as a pod with a service account")
		}
		return c, nil
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.Kubeconfig
	c, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: o.Context}).ClientConfig()
	if err != nil {
		return nil, sluice.Errorf(sluice.Invalid, "account %s: %w", o.Name, err).
			WithHint("name a kubeconfig file and a context of it under accounts in sluice.yaml; list them with: kubectl config get-contexts")
	}
	return c, nil
}
