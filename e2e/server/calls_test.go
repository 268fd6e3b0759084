package server_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// calls are requests to the servers, one after the other, each over a new connection.
type calls struct {
	s    *servers
	stop context.CancelFunc
	done sync.WaitGroup

	sent   int
	failed []string
}

// call calls the servers until perfect is called.
func (s *servers) call(token string) *calls {
	s.Helper()
	ctx, stop := context.WithCancel(s.Context())
	c, client := &calls{s: s, stop: stop}, s.caller()
	c.done.Go(func() {
		for every := time.NewTicker(50 * time.Millisecond); ctx.Err() == nil; <-every.C {
			c.sent++
			if status, text, err := s.get(client, token); err != nil || status != http.StatusOK {
				at := time.Now().UTC().Format("15:04:05.000")
				c.failed = append(c.failed, fmt.Sprintf("%s: %v, status %d: %s", at, err, status, text))
			}
		}
	})
	s.Cleanup(func() { stop(); c.done.Wait() })
	return c
}

// caller is a client that opens a connection for each call.
func (s *servers) caller() *http.Client {
	s.Helper()
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(s.file(s.authority))
	return &http.Client{
		Timeout:   time.Minute,
		Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: trusted}},
	}
}

// get asks the servers for the deployments.
func (s *servers) get(client *http.Client, token string) (status int, text []byte, err error) {
	r, err := http.NewRequest(http.MethodGet, s.address+"/api/v1/deployments", nil)
	if err != nil {
		return 0, nil, err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	text, err = io.ReadAll(resp.Body)
	return resp.StatusCode, text, err
}

// perfect ends the calls and fails the test unless all were answered.
func (c *calls) perfect() {
	c.s.Helper()
	c.stop()
	c.done.Wait()
	c.s.Logf("%d calls", c.sent)
	if len(c.failed) > 0 || c.sent < 10 {
		c.s.Errorf("%d of %d calls failed: %s", len(c.failed), c.sent, strings.Join(c.failed, "\n"))
	}
}
