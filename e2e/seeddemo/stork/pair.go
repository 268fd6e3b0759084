package stork

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// NewPair returns a ClusterPair for the cluster of the configuration.
func NewPair(namespace, name string, to *rest.Config, mode Mode) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: object{
		"apiVersion": group + "/" + version, "kind": "ClusterPair",
		"metadata": object{"namespace": namespace, "name": name, "annotations": object{ModeAnnotation: string(mode)}},
		"spec": object{
			"config": object{
				"clusters": object{name: object{"server": to.Host, "certificate-authority-data": to.CAData}},
				"users": object{name: object{"client-certificate-data": to.CertData, "client-key-data": to.KeyData,
					"token": to.BearerToken}},
				"contexts":        object{name: object{"cluster": name, "user": name}},
				"current-context": name,
				"preferences":     object{},
			},
			"options": object{"token": "e2e", "ip": "px", "port": "9001"},
		},
	}}
}

// pair probes the other cluster once. It never looks again at what is Ready.
func (c *Controller) pair(ctx context.Context, p *unstructured.Unstructured) error {
	if p.GetDeletionTimestamp() != nil {
		return c.released(ctx, ClusterPairs, p)
	}
	scheduler, _, _ := unstructured.NestedString(p.Object, "status", "schedulerStatus")
	storage, _, _ := unstructured.NestedString(p.Object, "status", "storageStatus")
	wantScheduler, wantStorage := scheduler, "Ready"
	if scheduler != "Ready" {
		wantScheduler = probe(ctx, p)
	}
	if token, _, _ := unstructured.NestedString(p.Object, "spec", "options", "token"); token == "" {
		wantStorage = "NotProvided"
	}
	if mode(p) == NotReady {
		wantStorage = "Error"
	}
	if scheduler == wantScheduler && storage == wantStorage && len(p.GetFinalizers()) > 0 {
		return nil
	}
	p.SetFinalizers([]string{finalizer})
	p.Object["status"] = object{"schedulerStatus": wantScheduler, "storageStatus": wantStorage,
		"remoteStorageId": p.GetName()}
	return c.update(ctx, ClusterPairs, p)
}

func probe(ctx context.Context, p *unstructured.Unstructured) string {
	client, err := destination(p)
	if err == nil {
		_, err = client.Resource(namespaces).List(ctx, v1.ListOptions{Limit: 1})
	}
	if err != nil {
		return "Error"
	}
	return "Ready"
}

func mode(p *unstructured.Unstructured) Mode { return Mode(p.GetAnnotations()[ModeAnnotation]) }

// destination connects to the cluster of the pair's kubeconfig, which has maps instead of lists.
func destination(p *unstructured.Unstructured) (dynamic.Interface, error) {
	raw, _, _ := unstructured.NestedMap(p.Object, "spec", "config")
	data, err := json.Marshal(raw)
	if err != nil {
		return nil, err
	}
	var config api.Config
	if err := json.Unmarshal(data, &config); err != nil {
		return nil, fmt.Errorf("read the pair's configuration: %w", err)
	}
	client, err := clientcmd.NewDefaultClientConfig(config, nil).ClientConfig()
	if err != nil {
		return nil, err
	}
	client.QPS = -1
	return dynamic.NewForConfig(client)
}
