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
	for _, p := range o.List("spec", "ports") {
		if p.Number(0, "port") == port {
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
	if d, divided := a.divided[namespace+"/"+service]; divided {
		pods = a.receiving(d, pods)
	}
	if len(pods) == 0 {
		return "", sluice.Errorf(sluice.Unavailable, "no pod of Service/%s is ready", service)
	}
	return pods[a.requests%len(pods)].Name, nil
}

// receiving returns those of the Service's ready pods of which one gets the next request.
func (a *Account) receiving(d sluice.Division, pods []sluice.Pod) []sluice.Pod {
	var stable, canary []sluice.Pod
	for _, p := range pods {
		if isNew(d, p) {
			canary = append(canary, p)
			continue
		}
		stable = append(stable, p)
	}
	switch {
	case a.byPods && d.Percent%100 != 0:
		if d.Serving > 0 {
			stable = stable[:min(d.Serving, len(stable))]
		}
		return append(stable, canary...)
	case a.requests*d.Percent/100 > (a.requests-1)*d.Percent/100:
		return canary
	}
	return stable
}

// isNew reports whether the pod has the version that the canary of the division brought.
func isNew(d sluice.Division, p sluice.Pod) bool {
	if d.Release == "" {
		return p.Labels[sluice.TrackLabel] == sluice.TrackCanary
	}
	return p.Labels[sluice.ReleaseLabel] == d.Release
}

// Serving returns how many ready pods of the old and of the new version a request of the Service can reach.
func (a *Account) Serving(namespace, service string) (stable, canary int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	o := a.objects[sluice.Ref{APIVersion: "v1", Kind: "Service", Namespace: namespace, Name: service}]
	d, divided := a.divided[namespace+"/"+service]
	for _, p := range a.selected(namespace, o.Field("spec", "selector")) {
		switch isCanary := isNew(d, p); {
		case divided && isCanary && d.Percent == 0, divided && !isCanary && d.Percent == 100:
		case divided && isCanary:
			canary++
		default:
			stable++
		}
	}
	if a.byPods && d.Serving > 0 {
		stable = min(stable, d.Serving)
	}
	return stable, canary
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
	for isCanary, name := range a.receivers(d) {
		if !slices.ContainsFunc(a.pods(d.Namespace), func(p sluice.Pod) bool {
			ofEither := p.Owner == "Deployment/"+d.Stable || p.Owner == "Deployment/"+d.Canary
			return ofEither && p.Ready && isNew(d, p) == isCanary
		}) {
			return a.refuse(sluice.Failed, "no pod of Deployment/%s is ready", name)
		}
	}
	a.divided[d.Namespace+"/"+d.Service] = d
	return a.wrote()
}

// receivers names, for the canary and for the stable pods, the Deployment that must have a ready one. If the numbers of
// pods divide the traffic, any pod will do.
func (a *Account) receivers(d sluice.Division) map[bool]string {
	need := map[bool]string{}
	for isCanary, gets := range map[bool]bool{false: d.Percent < 100, true: d.Percent > 0} {
		if gets && (d.Percent%100 == 0 || !a.byPods) {
			need[isCanary] = map[bool]string{false: d.Stable, true: d.Canary}[isCanary]
		}
	}
	return need
}

// Release implements sluice.Shifter.
func (a *Account) Release(ctx context.Context, d sluice.Division) error {
	if err := a.enter(ctx); err != nil {
		return err
	}
	key := d.Namespace + "/" + d.Service
	if _, divided := a.divided[key]; !divided {
		a.mu.Unlock()
		return nil
	}
	delete(a.divided, key)
	return a.wrote()
}
