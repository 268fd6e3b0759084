package agent

import (
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
)

// content returns what a ConfigMap or Secret holds, nothing for an absent one that is optional. The mutex is held.
func (a *Agent) content(kindName, namespace, name string, optional *bool) (map[string]string, error) {
	e := a.store.objects[key{kindName, namespace, name}]
	if e == nil {
		if optional != nil && *optional {
			return nil, nil
		}
		return nil, fmt.Errorf("%s/%s does not exist", kindName, name)
	}
	data := map[string]string{}
	switch o := e.typed.(type) {
	case *corev1.ConfigMap:
		maps.Copy(data, o.Data)
		copyBytes(data, o.BinaryData)
	case *corev1.Secret:
		copyBytes(data, o.Data)
		maps.Copy(data, o.StringData)
		for _, value := range data {
			a.redactor.Learn(value)
		}
	}
	return data, nil
}

func copyBytes(to map[string]string, from map[string][]byte) {
	for k, v := range from {
		to[k] = string(v)
	}
}
