package traffic

import (
	"math"
	"strings"

	"github.com/sluice-cd/sluice"
)

// Gateway is the shape of an HTTPRoute and a GRPCRoute of the Gateway API.
var Gateway = Shape{
	path: []string{"spec", "rules"}, list: []string{"backendRefs"}, trackField: []string{"name"},
	role: gatewayRole, absent: func(int) int64 { return 1 }, most: 1_000_000,
}

func gatewayRole(b sluice.Object, namespace string, s Share) role {
	if kind := b.Text("kind"); kind != "" && kind != "Service" || b.Text("group") != "" {
		return other
	}
	if ns := b.Text("namespace"); ns != "" && ns != namespace {
		return other
	}
	return byName(b.Text("name"), s)
}

func byName(name string, s Share) role {
	switch name {
	case s.Service:
		return stable
	case s.Canary:
		return canary
	}
	return other
}

// Split is the shape of a TrafficSplit of SMI.
var Split = Shape{
	list: []string{"spec", "backends"}, trackField: []string{"service"},
	role:   func(b sluice.Object, _ string, s Share) role { return byName(b.Text("service"), s) },
	absent: func(int) int64 { return 0 }, most: math.MaxInt32,
}

// NewSplit returns a TrafficSplit that sends all to the Service.
func NewSplit(apiVersion, namespace, name, service string) (sluice.Object, error) {
	o := sluice.Object{"apiVersion": apiVersion, "kind": "TrafficSplit"}
	o.Set(name, "metadata", "name")
	o.Set(namespace, "metadata", "namespace")
	o.Set(service, "spec", "service")
	o.Set([]any{map[string]any{"service": service, "weight": int64(100)}}, "spec", "backends")
	return o, record{Made: service}.write(o)
}

// VirtualService is the shape of the HTTP routes in Istio's VirtualService.
var VirtualService = Shape{
	path: []string{"spec", "http"}, list: []string{"route"}, trackField: []string{"destination", "subset"},
	role: istioRole, absent: alone, most: math.MaxInt32,
}

// alone is Istio's rule: a single destination needs no weight, since it gets everything.
func alone(destinations int) int64 {
	if destinations == 1 {
		return 100
	}
	return 0
}

func istioRole(b sluice.Object, namespace string, s Share) role {
	if !IsHost(b.Text("destination", "host"), s.Service, namespace) {
		return other
	}
	switch b.Text("destination", "subset") {
	case "", s.Stable:
		return stable
	case s.Canary:
		return canary
	}
	return other
}

// IsHost reports whether a host in an object of the namespace is the Service there.
func IsHost(host, service, namespace string) bool {
	host = strings.TrimSuffix(host, ".")
	full := service + "." + namespace
	return host == service || host == full || host == full+".svc" || strings.HasPrefix(host, full+".svc.")
}

// ActiveSubset returns the subset to which the undivided object sends the Service's traffic, "" if there is none or
// more than one.
func ActiveSubset(o sluice.Object, s Share) string {
	namespace, found := o.Text("metadata", "namespace"), map[string]bool{}
	for _, l := range VirtualService.lists(VirtualService.undivided(o)) {
		if s.Route != "" && l.name != s.Route {
			continue
		}
		for _, b := range l.all {
			subset := asObject(b).Text("destination", "subset")
			if IsHost(asObject(b).Text("destination", "host"), s.Service, namespace) && subset != s.Canary && subset != "" {
				found[subset] = true
			}
		}
	}
	for subset := range found {
		if len(found) == 1 {
			return subset
		}
	}
	return ""
}

// HasRoute reports whether the VirtualService has an HTTP route of the name.
func HasRoute(o sluice.Object, name string) bool {
	for _, l := range VirtualService.lists(o) {
		if l.name == name {
			return true
		}
	}
	return false
}
