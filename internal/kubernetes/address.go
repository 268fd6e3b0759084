package kubernetes

import (
	"context"
	"net"
	"net/url"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice"
)

// tokenFile is where the credentials of a pod are; who uses them is inside of the cluster.
const tokenFile = "/var/run/secrets/kubernetes.io/serviceaccount/token"

func (a *Account) isInside() bool { return a.config.BearerTokenFile == tokenFile }

// Address returns where the Service's port answers: inside of the cluster under its own name, elsewhere at a
// port of this machine, from which every connection is carried through the API server to a ready pod. The same
// Service has the same address until the account is closed.
func (a *Account) Address(ctx context.Context, namespace, service string, port int) (string, error) {
	s, err := a.service(ctx, namespace, service, port)
	if err != nil {
		return "", err
	}
	if a.isInside() {
		return net.JoinHostPort(service+"."+namespace+".svc", strconv.Itoa(port)), nil
	}
	if s.Spec.Type == corev1.ServiceTypeExternalName {
		return "", sluice.Errorf(sluice.Unsupported, "Service/%s stands for %s, which cannot be reached through the cluster", service, s.Spec.ExternalName)
	}
	f, err := a.forwards.at(a, forwardKey{namespace, service, port})
	if err != nil {
		return "", err
	}
	return f.listener.Addr().String(), f.prove(ctx)
}

// A service holds what is kept of a Service.
type service struct {
	Spec struct {
		Type         corev1.ServiceType `json:"type"`
		ExternalName string             `json:"externalName"`
		Ports        []struct {
			Name string `json:"name"`
			Port int    `json:"port"`
		} `json:"ports"`
	} `json:"spec"`
}

// service returns the Service if it has the port. NotFound names what is missing.
func (a *Account) service(ctx context.Context, namespace, name string, port int) (*service, error) {
	s := &service{}
	if err := a.call(ctx, request{op: "get Service/" + name, path: namespaced("v1", namespace, "services", name), into: s}); err != nil {
		return nil, err
	}
	if _, ok := s.portName(port); ok {
		return s, nil
	}
	var known []string
	for _, p := range s.Spec.Ports {
		known = append(known, strconv.Itoa(p.Port))
	}
	return nil, sluice.Errorf(sluice.NotFound, "Service/%s in the namespace %s has no port %d", name, namespace, port).
		WithHint("its ports are: %s", strings.Join(known, ", "))
}

func (s *service) portName(port int) (name string, found bool) {
	for _, p := range s.Spec.Ports {
		if p.Port == port {
			return p.Name, true
		}
	}
	return "", false
}

// A backend is a pod behind a Service and its own port.
type backend struct {
	Pod  string
	Port int
}

// A slice holds what is kept of an EndpointSlice.
type slice struct {
	Ports []struct {
		Name string `json:"name"`
		Port int    `json:"port"`
	} `json:"ports"`
	Endpoints []struct {
		Conditions struct {
			Ready *bool `json:"ready"`
		} `json:"conditions"`
		TargetRef *struct {
			Kind string `json:"kind"`
			Name string `json:"name"`
		} `json:"targetRef"`
	} `json:"endpoints"`
}

// backends returns the ready pods behind the Service's port. Their own port may differ from pod to pod, where
// the Service names it.
func (a *Account) backends(ctx context.Context, key forwardKey) ([]backend, error) {
	s, err := a.service(ctx, key.namespace, key.service, key.port)
	if err != nil {
		return nil, err
	}
	name, _ := s.portName(key.port)
	var list struct {
		Metadata metav1.ListMeta `json:"metadata"`
		Items    []slice         `json:"items"`
	}
	err = a.call(ctx, request{
		op:    "list endpointslices of Service/" + key.service,
		path:  namespaced("discovery.k8s.io/v1", key.namespace, "endpointslices"),
		query: url.Values{"labelSelector": {"kubernetes.io/service-name=" + key.service}}, into: &list,
	})
	var ready []backend
	for _, s := range list.Items {
		ready = append(ready, s.backends(name)...)
	}
	return ready, err
}

func (s slice) backends(portName string) []backend {
	var ready []backend
	for _, p := range s.Ports {
		if p.Name != portName {
			continue
		}
		for _, e := range s.Endpoints {
			if e.TargetRef != nil && e.TargetRef.Kind == "Pod" && (e.Conditions.Ready == nil || *e.Conditions.Ready) {
				ready = append(ready, backend{e.TargetRef.Name, p.Port})
			}
		}
	}
	return ready
}
