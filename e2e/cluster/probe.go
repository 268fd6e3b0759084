package cluster

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

const probeInterval = 50 * time.Millisecond

// No certificate is checked: a probe only asks whether the part answers.
var probeClient = &http.Client{
	Timeout: 2 * time.Second,
	Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		DisableKeepAlives: true,
	},
}

// awaitAnswer waits until the part answers; ctx bounds the wait.
func (p part) awaitAnswer(ctx context.Context) error {
	if p.Probe == "" {
		return nil
	}
	ticker := time.NewTicker(probeInterval)
	defer ticker.Stop()
	for {
		err := probe(p.Probe)
		if err == nil {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer at %s: %w", p.Name, p.Probe, err)
		}
	}
}

// probe asks once: an HTTP address must answer 200, a socket must accept.
func probe(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	if u.Scheme == "unix" {
		conn, err := net.DialTimeout("unix", u.Path, time.Second)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	resp, err := probeClient.Get(address)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", resp.Status, body)
	}
	return err
}
