package beside

import (
	"bytes"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"math/big"
	"time"

	"github.com/sluice-cd/sluice"
)

// An identity is the key pair of one side of a connection. It derives from a secret, so every process has the same.
type identity struct {
	private ed25519.PrivateKey
}

// newIdentity derives the key pair from a secret of 64 hexadecimal digits.
func newIdentity(secret string) (identity, error) {
	seed, err := hex.DecodeString(secret)
	if err != nil || len(seed) != ed25519.SeedSize {
		return identity{}, sluice.Errorf(sluice.Invalid, "a secret for a connection is not %d hexadecimal digits",
			2*ed25519.SeedSize)
	}
	return identity{ed25519.NewKeyFromSeed(seed)}, nil
}

func (i identity) public() ed25519.PublicKey { return i.private.Public().(ed25519.PublicKey) }

// config returns the settings of a connection to the only peers that allows reports. Names and dates in certificates
// count for nothing: a peer is known by its key.
func (i identity) config(allows func(ed25519.PublicKey) bool) (*tls.Config, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sluice"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC),
	}
	raw, err := x509.CreateCertificate(nil, template, template, i.public(), i.private)
	if err != nil {
		return nil, sluice.Errorf(sluice.Internal, "make the certificate of a connection: %w", err)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{"h2"},
		Certificates: []tls.Certificate{{Certificate: [][]byte{raw}, PrivateKey: i.private}},
		ClientAuth:   tls.RequireAnyClientCert,
		// VerifyConnection does what it skips, by the peer's key.
		InsecureSkipVerify: true, //nolint:gosec // see above
		VerifyConnection: func(s tls.ConnectionState) error {
			if key, ok := peerKey(s); !ok || !allows(key) {
				return sluice.Errorf(sluice.Denied, "the other side of the connection has an unknown key")
			}
			return nil
		},
		SessionTicketsDisabled: true,
	}, nil
}

func peerKey(s tls.ConnectionState) (ed25519.PublicKey, bool) {
	if len(s.PeerCertificates) != 1 {
		return nil, false
	}
	key, ok := s.PeerCertificates[0].PublicKey.(ed25519.PublicKey)
	return key, ok
}

func only(peer ed25519.PublicKey) func(ed25519.PublicKey) bool {
	return func(key ed25519.PublicKey) bool { return bytes.Equal(key, peer) }
}
