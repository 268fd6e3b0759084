package identitytest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// ClientID is the client that the issuer knows.
const ClientID = "sluice"

// An Issuer proves the identity of whom a test names.
type Issuer struct {
	URL          string
	ClientSecret string // "": the client is public
	SecretInForm bool   // the client sends its secret as a parameter, not in a header
	ActivateURL  string // where people type the code of a device

	t      *testing.T
	mu     sync.Mutex
	away   bool
	guard  string // the token that callers must send; "": none
	keys   []key
	number int            // of keys and codes so far
	person map[string]any // the claims of who logs in
	codes  map[string]code
	device map[string]bool // whether a device code was approved
	fresh  map[string]bool // refresh tokens that were not used
	asked  map[string]int  // requests by path
	life   time.Duration
}

type key struct {
	id      string
	private crypto.Signer
	alg     jose.SignatureAlgorithm
}

// A code is an authorization code and what it was asked for with.
type code struct{ challenge, redirect, nonce string }

// New starts an issuer that signs with an EC key, which is made fast. It ends with the test.
func New(t *testing.T) *Issuer {
	i := &Issuer{
		t: t, codes: map[string]code{}, device: map[string]bool{}, fresh: map[string]bool{}, asked: map[string]int{},
		life: 5 * time.Minute,
	}
	i.Rotate()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", i.discovery)
	mux.HandleFunc("GET /keys", i.jwks)
	mux.HandleFunc("GET /authorize", i.authorize)
	mux.HandleFunc("POST /token", i.token)
	mux.HandleFunc("POST /device", i.deviceCode)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		away, guard := i.away, i.guard
		i.asked[r.URL.Path]++
		i.mu.Unlock()
		if guard != "" && r.Header.Get("Authorization") != "Bearer "+guard {
			http.Error(w, "who are you?", http.StatusForbidden)
			return
		}
		if away {
			http.Error(w, "the issuer is away", http.StatusServiceUnavailable)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	i.URL, i.ActivateURL = server.URL, server.URL+"/activate"
	return i
}

// SetAway makes the issuer answer nothing but 503, or serve again.
func (i *Issuer) SetAway(away bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.away = away
}

// SetGuard makes the issuer answer only callers who send the token.
func (i *Issuer) SetGuard(token string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.guard = token
}

// Asked returns how often the path was asked for.
func (i *Issuer) Asked(path string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked[path]
}

// Life says how long people's tokens are valid that are issued from now on.
func (i *Issuer) Life(d time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.life = d
}

// Rotate replaces all keys by a new EC key, and forgets the old ones.
func (i *Issuer) Rotate() {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		i.t.Fatal(err)
	}
	i.replaceKeys(private, jose.ES256)
}

// RotateToRSA replaces all keys by a new RSA key.
func (i *Issuer) RotateToRSA() {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		i.t.Fatal(err)
	}
	i.replaceKeys(private, jose.RS256)
}

func (i *Issuer) replaceKeys(private crypto.Signer, alg jose.SignatureAlgorithm) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.number++
	i.keys = []key{{fmt.Sprint("key-", i.number), private, alg}}
}

// PublicKey returns the key that verifies what is signed now.
func (i *Issuer) PublicKey() crypto.PublicKey {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.keys[0].private.Public()
}

// LogIn says who logs in from now on: the claims of their tokens besides those that every token has.
func (i *Issuer) LogIn(claims map[string]any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.person = claims
}

// Token returns a signed token with the claims. Those of a valid token for the client are there by default; a nil value
// leaves one out.
func (i *Issuer) Token(claims map[string]any) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.sign(i.claims(claims))
}

// claims returns the claims of a valid token, changed.
func (i *Issuer) claims(changed map[string]any) map[string]any {
	now := time.Now()
	all := map[string]any{
		"iss": i.URL, "aud": ClientID, "sub": "7", "iat": now.Unix(), "exp": now.Add(i.life).Unix(),
	}
	maps.Copy(all, changed)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	return all
}

func (i *Issuer) sign(claims map[string]any) string {
	k := i.keys[0]
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: k.alg, Key: jose.JSONWebKey{Key: k.private, KeyID: k.id}}, nil)
	if err != nil {
		panic(err)
	}
	body, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	jws, err := signer.Sign(body)
	if err != nil {
		panic(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return text
}

func (i *Issuer) discovery(w http.ResponseWriter, _ *http.Request) {
	methods := []string{"client_secret_basic"}
	if i.SecretInForm {
		methods = []string{"client_secret_post"}
	}
	answer(w, http.StatusOK, map[string]any{
		"token_endpoint_auth_methods_supported": methods,
		"issuer":                                i.URL,
		"authorization_endpoint":                i.URL + "/authorize",
		"token_endpoint":                        i.URL + "/token",
		"device_authorization_endpoint":         i.URL + "/device", "jwks_uri": i.URL + "/keys",
		"id_token_signing_alg_values_supported": []string{"RS256", "ES256", "HS256", "none"},
	})
}

func (i *Issuer) jwks(w http.ResponseWriter, _ *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	var set jose.JSONWebKeySet
	for _, k := range i.keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{
			Key: k.private.Public(), KeyID: k.id, Algorithm: string(k.alg), Use: "sig",
		})
	}
	answer(w, http.StatusOK, set)
}

func answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // a client that left is not missed
}
