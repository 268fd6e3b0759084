// Package probe asks a container whether it works: over HTTP, TCP or with a command. It imports the Kubernetes
// API types only.
//
// Start reading at [Target.Ask].
package probe

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// A Target is the container that is asked.
type Target struct {
	Host  string // where it listens
	Ports []corev1.ContainerPort
	Exec  func(ctx context.Context, command []string) error
}

var client = &http.Client{
	Transport: &http.Transport{
		DisableKeepAlives: true,
		// A probe asks whether the pod answers; whom its certificate names does not matter, as in Kubernetes.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Ask returns nil if the container answers as it should, and why not otherwise.
func (t Target) Ask(ctx context.Context, h corev1.ProbeHandler) error {
	switch {
	case h.HTTPGet != nil:
		return t.get(ctx, h.HTTPGet)
	case h.TCPSocket != nil:
		return t.connect(ctx, h.TCPSocket)
	}
	return t.Exec(ctx, h.Exec.Command)
}

func (t Target) get(ctx context.Context, g *corev1.HTTPGetAction) error {
	port, err := t.port(g.Port)
	if err != nil {
		return err
	}
	scheme := "http"
	if g.Scheme == corev1.URISchemeHTTPS {
		scheme = "https"
	}
	u, err := url.Parse(g.Path)
	if err != nil {
		return err
	}
	u.Scheme, u.Host = scheme, net.JoinHostPort(cmp.Or(g.Host, t.Host), port)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	r.Header.Set("User-Agent", "kube-probe/sluice")
	for _, h := range g.HTTPHeaders {
		if http.CanonicalHeaderKey(h.Name) == "Host" {
			r.Host = h.Value
			continue
		}
		r.Header.Add(h.Name, h.Value)
	}
	return do(r)
}

func do(r *http.Request) error {
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 10<<10)); err != nil {
		return err
	}
	if resp.StatusCode < 200 || resp.StatusCode >= 400 {
		return fmt.Errorf("%s answers with status %d", r.URL, resp.StatusCode)
	}
	return nil
}

func (t Target) connect(ctx context.Context, s *corev1.TCPSocketAction) error {
	port, err := t.port(s.Port)
	if err != nil {
		return err
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(cmp.Or(s.Host, t.Host), port))
	if err != nil {
		return err
	}
	return conn.Close()
}

func (t Target) port(p intstr.IntOrString) (string, error) {
	if p.Type == intstr.Int {
		return strconv.Itoa(int(p.IntVal)), nil
	}
	for _, c := range t.Ports {
		if c.Name == p.StrVal {
			return strconv.Itoa(int(c.ContainerPort)), nil
		}
	}
	if n, err := strconv.Atoi(p.StrVal); err == nil {
		return strconv.Itoa(n), nil
	}
	return "", fmt.Errorf("the container has no port named %q", p.StrVal)
}

// A Timing is a probe's schedule with the defaults of Kubernetes filled in.
type Timing struct {
	InitialDelay, Period, Timeout time.Duration
	Successes, Failures           int
}

// TimingOf returns the probe's schedule.
func TimingOf(p *corev1.Probe) Timing {
	return Timing{
		InitialDelay: time.Duration(p.InitialDelaySeconds) * time.Second,
		Period:       seconds(p.PeriodSeconds, 10),
		Timeout:      seconds(p.TimeoutSeconds, 1),
		Successes:    positive(p.SuccessThreshold, 1),
		Failures:     positive(p.FailureThreshold, 3),
	}
}

func seconds(n int32, absent int) time.Duration {
	return time.Duration(positive(n, absent)) * time.Second
}

func positive(n int32, absent int) int {
	if n <= 0 {
		return absent
	}
	return int(n)
}
