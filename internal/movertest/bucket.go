package movertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// A Bucket is one of a real S3 server that runs until the test ends. Each object is a file in Dir.
type Bucket struct {
	Endpoint             *url.URL
	Name                 string
	AccessKey, SecretKey string
	CAFile               string
	Dir                  string

	command func() *exec.Cmd
	server  *exec.Cmd // nil while it is stopped
}

// StartBucket builds the server of e2e/s3 and starts it with TLS on a free address.
func StartBucket(t *testing.T) *Bucket {
	t.Helper()
	work := t.TempDir()
	binary := filepath.Join(work, "s3-server")
	source := filepath.Join(moduleDir(t), "e2e", "s3")
	build := exec.CommandContext(t.Context(), "go", "build", "-C", source, "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the S3 server: %v\n%s", err, out)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	address := l.Addr().String()
	must(t, l.Close())
	b := &Bucket{
		Endpoint: &url.URL{Scheme: "https", Host: address}, Name: "checkpoints",
		AccessKey: "access-" + rand.Text(), SecretKey: "secret-" + rand.Text(),
		CAFile: filepath.Join(work, "cert.pem"), Dir: filepath.Join(work, "data", "checkpoints"),
	}
	must(t, os.MkdirAll(b.Dir, 0o700))
	key := filepath.Join(work, "key.pem")
	certify(t, b.CAFile, key)
	b.command = func() *exec.Cmd {
		c := exec.CommandContext(t.Context(), binary, "--listen", address, "--data", filepath.Dir(b.Dir),
			"--cert", b.CAFile, "--key", key)
		c.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+b.AccessKey, "ROOT_SECRET_KEY="+b.SecretKey)
		return c
	}
	b.Start(t)
	t.Cleanup(b.Stop)
	return b
}

// Start starts the server again after Stop, with the objects it had, and returns when it accepts connections.
func (b *Bucket) Start(t *testing.T) {
	t.Helper()
	b.server = b.command()
	_, err := b.server.StdinPipe() // it ends with this process
	must(t, err)
	must(t, b.server.Start())
	for range time.Tick(10 * time.Millisecond) {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", b.Endpoint.Host)
		if err == nil {
			must(t, conn.Close())
			return
		}
		must(t, t.Context().Err())
	}
}

// Stop kills the server. It does nothing if the server is stopped.
func (b *Bucket) Stop() {
	if b.server == nil {
		return
	}
	_ = b.server.Process.Kill()
	_ = b.server.Wait()
	b.server = nil
}

// certify writes a certificate for 127.0.0.1 that vouches for itself.
func certify(t *testing.T, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	must(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600))
	must(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
}

// moduleDir looks for the main module in the directory of the package under test and in those above.
func moduleDir(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	must(t, err)
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "e2e", "s3")); err == nil {
			return dir
		}
	}
	t.Fatal("there is no e2e/s3 in a directory above")
	return ""
}
