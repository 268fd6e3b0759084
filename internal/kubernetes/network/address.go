// Package network reaches the Services of a cluster from inside and outside. Start at [Network].
package network

import (
	"context"
	"net"
	"net/url"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
)

// A Network reaches the Services of a cluster. It is safe for concurrent use.
type Network struct {
	client   *client.Client
	forwards forwards
}

// New returns a network that must be closed.
func New(c *client.Client) *Network { return &Network{client: c} }

// Close closes the local ports.
func (n *Network) Close() { n.forwards.close() }

// Address returns where the Service's port answers. Inside of the cluster that is the Service's own name. Elsewhere it
// is a port of this machine, from which the API server carries every connection to a ready pod. A Service keeps its
// address until the account is closed.
func (n *Network) Address(ctx context.Context, namespace, service string, port int) (string, error) {
	s, err := n.service(ctx, namespace, service, port)
	if err != nil {
		return "", err
	}
	if n.client.IsInside() {
		return net.JoinHostPort(service+"."+namespace+".svc", strconv.Itoa(port)), nil
	}
	if s.Spec.Type == corev1.ServiceTypeExternalName {
		return "", sluice.Errorf(sluice.Unsupported, "Service/%s points to %s, which cannot be reached through the cluster",
			service, s.Spec.ExternalName)
	}
	f, err := n.forwards.open(n, forwardKey{namespace, service, port})
	if err != nil {
		return "", err
	}
	return f.listener.Addr().String(), f.check(ctx)
}

// A service is the part of a Service that this package keeps.
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

// service returns the Service if it has the port. Otherwise NotFound names the Service or the port.
func (n *Network) service(ctx context.Context, namespace, name string, port int) (*service, error) {
	s := &service{}
	ask := client.Request{Op: "get Service/" + name, Path: client.Path("v1", namespace, "services", name), Into: s}
	if err := n.client.Call(ctx, ask); err != nil {
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

// A backend is a pod behind a Service and its own port. Pods of a StatefulSet follow each other under one name.
type backend struct {
	Pod  string
	UID  string
	Port int
}

// An endpointSlice is the part of an EndpointSlice that is kept.
type endpointSlice struct {
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
			UID  string `json:"uid"`
		} `json:"targetRef"`
	} `json:"endpoints"`
}

// backends returns the ready pods behind the Service's port. If the Service names the port of its pods, the port may
// differ from pod to pod.
func (n *Network) backends(ctx context.Context, key forwardKey) ([]backend, error) {
	s, err := n.service(ctx, key.namespace, key.service, key.port)
	if err != nil {
		return nil, err
	}
	name, _ := s.portName(key.port)
	var list client.List[endpointSlice]
	err = n.client.Call(ctx, client.Request{
		Op:    "list endpointslices of Service/" + key.service,
		Path:  client.Path("discovery.k8s.io/v1", key.namespace, "endpointslices"),
		Query: url.Values{"labelSelector": {"kubernetes.io/service-name=" + key.service}}, Into: &list,
	})
	var ready []backend
	for _, s := range list.Items {
		ready = append(ready, s.backends(name)...)
	}
	return ready, err
}

func (s endpointSlice) backends(portName string) []backend {
	var ready []backend
	for _, p := range s.Ports {
		if p.Name != portName {
			continue
		}
		for _, e := range s.Endpoints {
			if e.TargetRef != nil && e.TargetRef.Kind == "Pod" && (e.Conditions.Ready == nil || *e.Conditions.Ready) {
				ready = append(ready, backend{e.TargetRef.Name, e.TargetRef.UID, p.Port})
			}
		}
	}
	return ready
}
