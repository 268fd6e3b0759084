package cluster

import (
	"os"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// writeAdmin writes the kubeconfig of one cluster, which its own parts use too.
func (s spec) writeAdmin() error {
	config := api.NewConfig()
	authority, err := os.ReadFile(s.pki("ca.crt"))
	if err != nil {
		return err
	}
	user := &api.AuthInfo{}
	if user.ClientCertificateData, err = os.ReadFile(s.pki("admin.crt")); err != nil {
		return err
	}
	if user.ClientKeyData, err = os.ReadFile(s.pki("admin.key")); err != nil {
		return err
	}
	config.Clusters[s.Name] = &api.Cluster{Server: s.server(), CertificateAuthorityData: authority}
	config.AuthInfos[s.Name] = user
	config.Contexts[s.Name] = &api.Context{Cluster: s.Name, AuthInfo: s.Name}
	config.CurrentContext = s.Name
	return clientcmd.WriteToFile(*config, s.admin())
}

// writeKubeconfig writes one file with a context for each cluster named.
func (o Options) writeKubeconfig(clusters ...string) error {
	merged := api.NewConfig()
	for _, name := range clusters {
		config, err := clientcmd.LoadFromFile(o.newSpec(name).admin())
		if err != nil {
			return err
		}
		copyContext(merged, name, config, name)
	}
	merged.CurrentContext = clusters[0]
	return clientcmd.WriteToFile(*merged, o.kubeconfig())
}

// copyContext copies a context of from into to, under another name.
func copyContext(to *api.Config, name string, from *api.Config, context string) {
	c := from.Contexts[context]
	to.Clusters[name] = from.Clusters[c.Cluster]
	if user := from.AuthInfos[c.AuthInfo]; user != nil {
		to.AuthInfos[name] = user
	}
	to.Contexts[name] = &api.Context{Cluster: name, AuthInfo: name, Namespace: c.Namespace}
}
