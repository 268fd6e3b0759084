package cluster

import (
	"fmt"
	"os"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// foreignContexts are the two contexts that a person wants to use instead of
// the clusters that Up starts.
func foreignContexts() ([]string, bool) {
	value := os.Getenv("E2E_CONTEXTS")
	return strings.Split(value, ","), value != ""
}

// adopt copies two contexts of the person's kubeconfig under the names cluster01 and cluster02.
func (o Options) adopt(contexts []string) (*Pair, error) {
	if len(contexts) != 2 {
		return nil, fmt.Errorf("E2E_CONTEXTS names %d contexts; write two, with a comma between them", len(contexts))
	}
	theirs, err := clientcmd.NewDefaultClientConfigLoadingRules().Load()
	if err != nil {
		return nil, fmt.Errorf("read your kubeconfig: %w", err)
	}
	if err := clientcmd.ResolveLocalPaths(theirs); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, err
	}
	path := o.kubeconfig() + "-contexts"
	merged := api.NewConfig()
	clusters := make([]*Cluster, 2)
	for i, context := range contexts {
		if theirs.Contexts[context] == nil {
			return nil, fmt.Errorf("your kubeconfig has no context %q, which E2E_CONTEXTS names", context)
		}
		copyContext(merged, names[i], theirs, context)
		clusters[i] = &Cluster{Name: names[i], Kubeconfig: path, options: o, foreign: context}
	}
	merged.CurrentContext = first
	if err := clientcmd.WriteToFile(*merged, path); err != nil {
		return nil, err
	}
	return &Pair{Cluster01: clusters[0], Cluster02: clusters[1], Kubeconfig: path}, nil
}
