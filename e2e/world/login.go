package world

import (
	"path/filepath"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// Login writes the kubeconfig robot beside the deploy file, with a new token of the ServiceAccount of the namespace,
// and returns the token.
func (w *World) Login(serviceAccount string) (token string) {
	w.Helper()
	client, err := w.Cluster.Client()
	w.try(err)
	made, err := client.CoreV1().ServiceAccounts(w.Namespace).CreateToken(w.Context(), serviceAccount,
		&authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	w.try(err)
	raw, err := clientcmd.LoadFromFile(Pair().Kubeconfig)
	w.try(err)
	raw.AuthInfos = map[string]*api.AuthInfo{"robot": {Token: made.Status.Token}}
	raw.Contexts = map[string]*api.Context{"robot": {Cluster: raw.Contexts[w.Cluster.Name].Cluster, AuthInfo: "robot"}}
	raw.CurrentContext = "robot"
	w.try(clientcmd.WriteToFile(*raw, filepath.Join(w.Dir, "robot")))
	return made.Status.Token
}
