package steptest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
)

// service returns the Service, if it has the port.
func (a *Account) service(namespace, name string, port int) (sluice.Object, error) {
	o := a.objects[sluice.Ref{APIVersion: "v1", Kind: "Service", Namespace: namespace, Name: name}]
	if o == nil {
		return nil, sluice.Errorf(sluice.NotFound, "there is no Service/%s in %s", name, namespace)
	}
	ports, _ := o.Field("spec", "ports").([]any)
	for _, p := range ports {
		if m, _ := asMap(p); sluice.Object(m).Number(0, "port") == port {
			return o, nil
		}
	}
	return nil, sluice.Errorf(sluice.NotFound, "Service/%s in %s has no port %d", name, namespace, port)
}

// Address implements sluice.Network. Only Services named to [Account.SetAddress] answer on this machine.
func (a *Account) Address(ctx context.Context, namespace, service string, port int) (string, error) {
	if err := a.enter(ctx); err != nil {
		return "", err
	}
	defer a.mu.Unlock()
	if address, ok := a.addr[fmt.Sprintf("%s/%s:%d", namespace, service, port)]; ok {
		return address, nil
	}
	if _, err := a.service(namespace, service, port); err != nil {
		return "", err
	}
	return "", sluice.Errorf(sluice.Unavailable, "Service/%s in %s answers in memory only", service, namespace)
}

// Transport implements sluice.Network. If no address was set, a ready pod answers with its name.
func (a *Account) Transport(ctx context.Context, namespace, service string, port int) (http.RoundTripper, error) {
	address, err := a.Address(ctx, namespace, service, port)
	if sluice.ErrorCode(err) == sluice.Unavailable {
		return roundTripper(func(*http.Request) (string, error) { return a.answer(namespace, service, port) }), nil
	}
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	return &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return d.DialContext(ctx, network, address)
		}}, nil
}

type roundTripper func(*http.Request) (string, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	text, err := f(r)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Status: "200 OK", Body: io.NopCloser(strings.NewReader(text)),
		Request: r}, nil
}

// answer returns the name of the pod that gets the next request.
func (a *Account) answer(namespace, service string, port int) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	o, err := a.service(namespace, service, port)
	if err != nil {
		return "", err
	}
	pods := a.selected(namespace, o.Field("spec", "selector"))
	a.requests++
	if percent, divided := a.weights[namespace+"/"+service]; divided && (percent%100 == 0 || !a.byPods) {
		canary := a.requests*percent/100 > (a.requests-1)*percent/100
		pods = slices.DeleteFunc(pods, func(p sluice.Pod) bool {
			return (p.Labels[sluice.TrackLabel] == sluice.TrackCanary) != canary
		})
	}
	if len(pods) == 0 {
		return "", sluice.Errorf(sluice.Unavailable, "no pod of Service/%s is ready", service)
	}
	return pods[a.requests%len(pods)].Name, nil
}

// Weighs implements sluice.Shifter.
func (a *Account) Weighs([]sluice.Traffic) bool { return !a.byPods }

// Shift implements sluice.Shifter.
func (a *Account) Shift(ctx context.Context, d sluice.Division) error {
	if err := a.enter(ctx); err != nil {
		return err
	}
	if d.Percent < 0 || d.Percent > 100 {
		return a.refuse(sluice.Invalid, "%d %% is not a part of the traffic", d.Percent)
	}
	if a.objects[sluice.Ref{APIVersion: "v1", Kind: "Service", Namespace: d.Namespace, Name: d.Service}] == nil {
		return a.refuse(sluice.NotFound, "there is no Service/%s", d.Service)
	}
	for _, side := range a.receivers(d) {
		if a.objects[side].Number(0, "status", "readyReplicas") == 0 {
			return a.refuse(sluice.Failed, "no pod of %s is ready", side)
		}
	}
	a.weights[d.Namespace+"/"+d.Service] = d.Percent
	return a.wrote()
}

// receivers are the Deployments that must have a ready pod. If the numbers of pods divide the traffic, any pod will do.
func (a *Account) receivers(d sluice.Division) []sluice.Ref {
	var refs []sluice.Ref
	for name, gets := range map[string]bool{d.Stable: d.Percent < 100, d.Canary: d.Percent > 0} {
		if gets && (d.Percent%100 == 0 || !a.byPods) {
			refs = append(refs, sluice.Ref{APIVersion: "apps/v1", Kind: "Deployment", Namespace: d.Namespace, Name: name})
		}
	}
	return refs
}

// Release implements sluice.Shifter.
func (a *Account) Release(ctx context.Context, d sluice.Division) error {
	if err := a.enter(ctx); err != nil {
		return err
	}
	key := d.Namespace + "/" + d.Service
	if _, divided := a.weights[key]; !divided {
		a.mu.Unlock()
		return nil
	}
	delete(a.weights, key)
	return a.wrote()
}
