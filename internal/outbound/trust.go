package outbound

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"sync"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/regular"
)

const maxCertificates = 1 << 20

// Certificates returns the system's trusted certificates and those in the PEM file. A file that cannot be read or has
// none is Invalid.
func Certificates(file string) (*x509.CertPool, error) {
	pool, _, err := certificates(file)
	return pool, err
}

func certificates(file string) (*x509.CertPool, []byte, error) {
	data, err := regular.File(file, maxCertificates)
	if err != nil {
		return nil, nil, sluice.Errorf(sluice.Invalid, "the caFile %s cannot be read: %w", file, err).
			WithHint("name a PEM file with the certificate of the authority")
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(data) {
		return nil, nil, sluice.Errorf(sluice.Invalid, "the caFile %s holds no certificate", file).
			WithHint("it must be PEM: it begins with -----BEGIN CERTIFICATE-----")
	}
	return pool, data, nil
}

// Trust returns the transport with the certificates in the PEM file trusted besides the system's. The file is read at
// each call, so a new certificate takes effect at once. Without a file it returns the transport.
func Trust(t *http.Transport, caFile string) http.RoundTripper {
	if caFile == "" {
		return t
	}
	return &trusting{base: t, file: caFile}
}

type trusting struct {
	base *http.Transport
	file string

	mu      sync.Mutex
	read    []byte
	current *http.Transport
}

// RoundTrip implements http.RoundTripper.
func (t *trusting) RoundTrip(r *http.Request) (*http.Response, error) {
	transport, err := t.transport()
	if err != nil {
		return nil, err
	}
	return transport.RoundTrip(r)
}

// CloseIdleConnections lets a client close them.
func (t *trusting) CloseIdleConnections() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current != nil {
		t.current.CloseIdleConnections()
	}
}

func (t *trusting) transport() (*http.Transport, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	pool, data, err := certificates(t.file)
	if err != nil {
		return nil, err
	}
	if t.current != nil && bytes.Equal(data, t.read) {
		return t.current, nil
	}
	if t.current != nil {
		t.current.CloseIdleConnections()
	}
	t.read, t.current = data, t.base.Clone()
	t.current.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return t.current, nil
}
