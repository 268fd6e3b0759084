package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// background is for what is done after a test.
var background = context.Background()

// issued returns a token that the cluster issues to a ServiceAccount for the audience, as kubectl create token does.
func (s *servers) issued(account, audience string) string {
	s.Helper()
	made, err := s.client.CoreV1().ServiceAccounts(s.Namespace).CreateToken(s.Context(), account,
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: []string{audience}}},
		metav1.CreateOptions{})
	s.try(err)
	return made.Status.Token
}

// expired returns the token as the cluster would have issued it an hour before it expired, which was two minutes ago.
func (s *servers) expired(token string) string {
	s.Helper()
	parts := strings.Split(token, ".")
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	s.try(err)
	claims := object{}
	s.try(json.Unmarshal(body, &claims))
	ended := time.Now().Add(-2 * time.Minute)
	claims["exp"], claims["iat"], claims["nbf"] = ended.Unix(), ended.Add(-time.Hour).Unix(), ended.Add(-time.Hour).Unix()
	body, err = json.Marshal(claims)
	s.try(err)
	signed := parts[0] + "." + base64.RawURLEncoding.EncodeToString(body)
	return signed + "." + base64.RawURLEncoding.EncodeToString(s.sign([]byte(signed)))
}

// sign signs as the API server of the first cluster signs tokens.
func (s *servers) sign(text []byte) []byte {
	s.Helper()
	block, _ := pem.Decode(s.file(filepath.Dir(s.Cluster.Kubeconfig), "pki", "accounts.key"))
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	s.try(err)
	hash := sha256.Sum256(text)
	r, v, err := ecdsa.Sign(rand.Reader, private.(*ecdsa.PrivateKey), hash[:])
	s.try(err)
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	v.FillBytes(signature[32:])
	return signature
}

// as makes commands call the servers with the token, "" for none.
func (s *servers) as(token string) { s.calling("SLUICE_TOKEN=" + token) }

// withFile makes commands call the servers with the token from a file.
func (s *servers) withFile(token string) {
	s.Helper()
	s.Write("token", token)
	s.calling("SLUICE_TOKEN_FILE=token")
}

func (s *servers) calling(with string) {
	s.Env = []string{
		"SLUICE_SERVER=" + s.address, "SLUICE_CA_FILE=" + s.authority, "XDG_CONFIG_HOME=" + s.Dir, with,
	}
}

// teamToken makes a token of the servers for the role deployer, with one that the cluster issues to the administrator.
func (s *servers) teamToken() string {
	s.Helper()
	s.as(s.issued("administrator", s.address))
	var made struct{ Text string }
	out := s.must("token", "make", "ci", "--role", "deployer", "--days", "1", "--output", "json")
	s.try(json.Unmarshal([]byte(out), &made))
	return made.Text
}

// refusals checks that callers who prove nothing, or who may do nothing, are told why.
func (s *servers) refusals() {
	s.Helper()
	right := s.issued("deployer", s.address)
	for name, test := range map[string]struct{ token, says string }{
		"without a token":            {"", "SLUICE_TOKEN"},
		"a token that was made up":   {"sluice_abcdefghijkl_def", "is wrong"},
		"half a token":               {"sluice_abc", "is not whole"},
		"for another server":         {s.issued("deployer", "https://sluice.example.com"), "expected audience"},
		"expired":                    {s.expired(right), "the token expired at"},
		"of another service account": {s.issued("stranger", s.address), ":stranger may not deploy"},
	} {
		s.as(test.token)
		out, status := s.answer("run", "-f", "deploy.yaml")
		if status != 6 || !strings.Contains(out, test.says) || !strings.Contains(out, "hint: ") {
			s.Errorf("%s: status %d instead of 6, or not %q with a hint:\n%s", name, status, test.says, out)
		}
	}
	if status, text, err := s.get(s.caller(), ""); err != nil || status != http.StatusUnauthorized {
		s.Errorf("without a command and a token: %v, status %d instead of 401\n%s", err, status, text)
	}
}
