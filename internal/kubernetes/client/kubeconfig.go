package client

import (
	"cmp"
	"errors"
	"io/fs"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/regular"
)

// maxKubeconfig is far above the size of any kubeconfig, and of any certificate that it names.
const maxKubeconfig = 16 << 20

// A kubeconfig is one context of the files that hold it. It stays the same context if another one becomes the current
// one: an account is one cluster.
type kubeconfig struct {
	rules     *clientcmd.ClientConfigLoadingRules
	context   string
	userAgent string
	files     []string // of certificates, keys and tokens, which the kubeconfig named when it was loaded
	content   string   // of all files when it was loaded
}

// newKubeconfig finds the kubeconfig of an account and returns what it says now.
func newKubeconfig(o Options) (*kubeconfig, *rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.Kubeconfig
	for _, file := range rules.GetLoadingPrecedence() {
		if _, err := regular.File(file, maxKubeconfig); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, nil, sluice.Errorf(sluice.Invalid, "account %s: the kubeconfig %s cannot be read: %w",
				o.Name, file, err).WithHint("name a kubeconfig file under accounts in sluice.yaml")
		}
	}
	k := &kubeconfig{rules: rules, context: o.Context, userAgent: cmp.Or(o.UserAgent, "sluice")}
	all, err := rules.Load()
	if err == nil {
		k.context = cmp.Or(o.Context, all.CurrentContext)
	}
	c, err := k.load()
	if err != nil {
		return nil, nil, sluice.Errorf(sluice.Invalid, "account %s: %w", o.Name, err).
			WithHint("name a kubeconfig file and one of its contexts under accounts in sluice.yaml; " +
				"list them with: kubectl config get-contexts")
	}
	return k, c, nil
}

// load reads the files. The configuration holds the certificates, not their paths, so that a change of them is one of
// the configuration.
func (k *kubeconfig) load() (*rest.Config, error) {
	overrides := &clientcmd.ConfigOverrides{CurrentContext: k.context}
	c, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(k.rules, overrides).ClientConfig()
	if err != nil {
		return nil, err
	}
	files := []string{c.CAFile, c.CertFile, c.KeyFile, c.BearerTokenFile}
	content := k.contents(files)
	if err := rest.LoadTLSFiles(c); err != nil {
		return nil, err
	}
	k.files, k.content = files, content
	return tuned(c, k.userAgent), nil
}

// hasChanged reports whether a file is not as it was when the kubeconfig was loaded.
func (k *kubeconfig) hasChanged() bool { return k.contents(k.files) != k.content }

// contents returns what the files hold. A file that cannot be read counts as empty.
func (k *kubeconfig) contents(named []string) string {
	var all strings.Builder
	for _, files := range [][]string{k.rules.GetLoadingPrecedence(), named} {
		for _, file := range files {
			data, _ := regular.File(file, maxKubeconfig) // what it should hold is read elsewhere
			all.Write(data)
			all.WriteByte(0)
		}
	}
	return all.String()
}
