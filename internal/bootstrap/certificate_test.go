package bootstrap

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
)

// writePair writes a certificate with the serial number and its key into the directory, for sluice.example.com.
func writePair(t *testing.T, dir string, serial int64, life time.Duration) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(life),
		DNSNames: []string{"sluice.example.com"},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"tls.crt": {Type: "CERTIFICATE", Bytes: cert}, "tls.key": {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A mounted secret is a directory as Kubernetes makes it: tls.crt leads to ..data/tls.crt, and ..data to one version.
type mountedSecret struct {
	dir     string
	version int
}

func (m *mountedSecret) renew(t *testing.T, write func(dir string)) {
	t.Helper()
	m.version++
	name := fmt.Sprintf("..version%d", m.version)
	write(filepath.Join(m.dir, name))
	next, data := filepath.Join(m.dir, "..next"), filepath.Join(m.dir, "..data")
	if err := os.Symlink(name, next); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, data); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(m.dir, fmt.Sprintf("..version%d", m.version-1))); err != nil {
		t.Fatal(err)
	}
}

func newMountedSecret(t *testing.T) *mountedSecret {
	t.Helper()
	m := &mountedSecret{dir: t.TempDir()}
	for _, name := range []string{"tls.crt", "tls.key"} {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(m.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// serialOf returns the serial number of the certificate with which the server at the address answers.
func serialOf(t *testing.T, address string) int64 {
	t.Helper()
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true}) // who answers is not the question
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// handshake answers connections until the listener is closed.
func handshake(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		_ = conn.(*tls.Conn).Handshake() // the client sees the error
		_ = conn.Close()
	}
}

func TestARenewedCertificateIsUsed(t *testing.T) {
	m := newMountedSecret(t)
	pair := func(serial int64) func(string) {
		return func(dir string) { writePair(t, dir, serial, time.Hour) }
	}
	m.renew(t, pair(1))
	var notes []string
	i := Instance{Config: config.Default(), Note: func(format string, args ...any) {
		notes = append(notes, fmt.Sprintf(format, args...))
	}}
	i.Config.Server.TLS = config.TLS{CertFile: filepath.Join(m.dir, "tls.crt"), KeyFile: filepath.Join(m.dir, "tls.key")}
	l, err := i.listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		handshake(l)
	}()
	wants := func(when string, serial int64, said int) {
		t.Helper()
		for range 3 {
			if got := serialOf(t, l.Addr().String()); got != serial {
				t.Errorf("%s: the certificate is %d, want %d", when, got, serial)
			}
		}
		if len(notes) != said {
			t.Errorf("%s: notes are %q, want %d", when, notes, said)
		}
	}
	wants("at first", 1, 0)
	m.renew(t, pair(2))
	wants("after a renewal", 2, 0)
	m.renew(t, func(dir string) {
		writePair(t, dir, 3, time.Hour)
		other := filepath.Join(t.TempDir(), "other")
		writePair(t, other, 4, time.Hour)
		if err := os.Rename(filepath.Join(other, "tls.key"), filepath.Join(dir, "tls.key")); err != nil {
			t.Fatal(err)
		}
	})
	wants("with the key of another one", 2, 1)
	if err := os.RemoveAll(filepath.Join(m.dir, "..data")); err != nil {
		t.Fatal(err)
	}
	wants("without files", 2, 2)
	m.renew(t, pair(5))
	wants("after the mistake was corrected", 5, 2)
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	<-answered
	if !strings.Contains(notes[0], "the previous one stays in use") {
		t.Errorf("the note says %q", notes[0])
	}
}

func TestACertificateHasToBeRightAtFirst(t *testing.T) {
	dir := t.TempDir()
	i := Instance{Config: config.Default(), Note: t.Logf}
	i.Config.Server.TLS = config.TLS{CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key")}
	if _, err := i.listen("127.0.0.1:0"); sluice.ErrorCode(err) != sluice.Invalid || sluice.ErrorHint(err) == "" {
		t.Errorf("%v", err)
	}
}
