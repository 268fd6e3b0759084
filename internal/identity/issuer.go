package identity

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/outbound"
)

// algorithms are those with a public key. With any other one, who can verify could also sign, or nobody need sign.
var algorithms = []string{
	oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA,
}

const (
	maxDocument = 1 << 20          // bytes of what an issuer answers
	patience    = 10 * time.Second // until an issuer has to answer
	respite     = 5 * time.Second  // before an issuer that did not answer is asked again
	skew        = time.Minute      // by which clocks may differ
	trusted     = time.Hour        // before the keys are fetched anew: one may have been revoked
)

// An issuer verifies the tokens of an OIDC issuer for one audience.
type issuer struct {
	config.Workload // without a name: the issuer of people
	now             func() time.Time
	client          *http.Client // for flows
	frugal          *http.Client // for documents, which are asked for because of what callers send

	mu       sync.Mutex
	provider *oidc.Provider // nil: not known yet
	basic    bool           // the secret of the client goes into a header
	verifier *oidc.IDTokenVerifier
	knownAt  time.Time
	failure  error // of the last attempt to know it
	failedAt time.Time
}

func newIssuer(w config.Workload, now func() time.Time) *issuer {
	base := http.DefaultTransport.(*http.Transport).Clone()
	transport := outbound.Bound(outbound.Trust(base, w.CAFile), maxDocument)
	documents := transport
	if w.TokenFile != "" {
		documents = bearing{transport, w.TokenFile}
	}
	return &issuer{
		Workload: w, now: now,
		client: &http.Client{
			Transport: transport, Timeout: patience, CheckRedirect: outbound.Redirects{Body: true}.Check,
		},
		frugal: &http.Client{
			Transport: newFrugal(documents, now), Timeout: patience, CheckRedirect: outbound.Redirects{}.Check,
		},
	}
}

// know asks the issuer now and then where its keys are and where people log in. While it is away, what was known stays.
func (i *issuer) know(ctx context.Context) (*oidc.Provider, *oidc.IDTokenVerifier, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := i.now()
	isFresh := i.provider != nil && now.Before(i.knownAt.Add(trusted))
	if !isFresh && (i.failure == nil || !now.Before(i.failedAt.Add(respite))) {
		if i.failure = i.discover(ctx); i.failure != nil {
			i.failedAt = now
		} else {
			i.knownAt = now
		}
	}
	if i.provider == nil {
		return nil, nil, i.failure
	}
	return i.provider, i.verifier, nil
}

// discover reads the document of the issuer. The caller may leave, but others want to know too.
func (i *issuer) discover(ctx context.Context) error {
	p, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), i.frugal), i.Issuer)
	if err != nil {
		return i.away(err)
	}
	var document struct {
		Keys    string   `json:"jwks_uri"`
		Methods []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := p.Claims(&document); err != nil || !sameSecurity(i.Issuer, document.Keys) {
		return sluice.Errorf(sluice.Unavailable, "the issuer %s has its keys at %.200q", i.Issuer, document.Keys).
			WithHint("it must be an https URL; check the configuration of the issuer")
	}
	keys := watched{oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), i.frugal), document.Keys)}
	i.provider = p
	i.basic = document.Methods == nil || slices.Contains(document.Methods, "client_secret_basic")
	i.verifier = oidc.NewVerifier(i.Issuer, keys, &oidc.Config{
		ClientID: i.Audience, SupportedSigningAlgs: algorithms, SkipExpiryCheck: true, // expiry knows no clock skew
	})
	return nil
}

// sameSecurity reports whether the address is as safe as that of the issuer, which sluice.yaml checks.
func sameSecurity(issuer, address string) bool {
	return strings.HasPrefix(address, "https://") ||
		strings.HasPrefix(issuer, "http://") && strings.HasPrefix(address, "http://")
}

// invalid is the error of a token that the issuer's keys or its claims refute. A workload whose token is for another
// audience cannot log in, so it is told which one this server expects.
func (i *issuer) invalid(raw string, why error) error {
	says, ok := claimed(raw)
	if i.Name == "" || !ok || slices.Contains(texts(says.Audience), i.Audience) {
		return unproven("the token is not valid here: %.300s", why)
	}
	return sluice.Errorf(sluice.Unauthenticated, "the token is not valid here: %.300s", why).
		WithHint("ask the issuer for a token with the audience %s, which server.workloads.%s.audience in sluice.yaml of "+
			"the server sets; in GitHub Actions: SLUICE_AUDIENCE", i.Audience, i.Name)
}

// away is the error of an issuer that does not answer as an issuer does.
func (i *issuer) away(err error) error {
	if other := (*oidc.IssuerMismatchError)(nil); errors.As(err, &other) {
		return sluice.Errorf(sluice.Unavailable, "the discovery document of the issuer says %.200q, sluice.yaml says %.200q",
			other.Discovered, i.Issuer).WithHint("write the issuer in sluice.yaml exactly as its document does")
	}
	why, hint := outbound.Explain(err, "caFile")
	if hint == "" {
		hint = cmp.Or(sluice.ErrorHint(err), "check issuer in sluice.yaml, and that the server can reach it")
	}
	return sluice.Errorf(sluice.Unavailable, "the issuer %s does not answer: %.300s", i.Issuer, why).WithHint("%s", hint)
}

// verify returns the claims of a token that the issuer made for the audience and that is valid now.
func (i *issuer) verify(ctx context.Context, raw string) (map[string]any, error) {
	_, verifier, err := i.know(ctx)
	if err != nil {
		return nil, err
	}
	var outage error
	token, err := verifier.Verify(context.WithValue(ctx, outageKey{}, &outage), raw)
	if outage != nil {
		return nil, i.away(outage)
	}
	if err != nil {
		return nil, i.invalid(raw, err)
	}
	var body json.RawMessage
	var claims map[string]any
	if err := token.Claims(&body); err != nil {
		return nil, unproven("the token does not hold claims")
	}
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.UseNumber()
	if err := decoder.Decode(&claims); err != nil {
		return nil, unproven("the token does not hold claims")
	}
	return claims, i.check(token, claims)
}

// check refuses tokens that are right, but not now or not for callers.
func (i *issuer) check(t *oidc.IDToken, claims map[string]any) error {
	now := i.now()
	if t.Expiry.Unix() <= 0 {
		return unproven("the token does not say when it expires")
	}
	if !now.Before(t.Expiry.Add(skew)) {
		return unproven("the token expired at %s", t.Expiry.UTC().Format(time.RFC3339))
	}
	if claims["nbf"] != nil {
		n, _ := claims["nbf"].(json.Number)
		if begin, err := n.Float64(); err != nil || now.Add(skew).Before(time.Unix(int64(begin), 0)) {
			return unproven("the token is not valid yet")
		}
	}
	if t.Subject == "" {
		return unproven("the token does not say whom it is about")
	}
	if claims["events"] != nil {
		return unproven("the token tells of an event; it proves nobody")
	}
	if azp, ok := claims["azp"]; ok && i.Name == "" && azp != i.Audience {
		return unproven("the token was made for another client")
	}
	return nil
}

// endpoint returns where people log in and where their codes are exchanged. A code can be used once, so nothing is
// tried out.
func (i *issuer) endpoint(ctx context.Context, hasSecret bool) (oauth2.Endpoint, error) {
	p, _, err := i.know(ctx)
	if err != nil {
		return oauth2.Endpoint{}, err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	e := p.Endpoint()
	if e.AuthStyle = oauth2.AuthStyleInParams; hasSecret && i.basic {
		e.AuthStyle = oauth2.AuthStyleInHeader
	}
	return e, nil
}

// exchange turns the code of a login into claims.
func (i *issuer) exchange(ctx context.Context, c oauth2.Config, code, verifier string) (map[string]any, error) {
	ctx = oidc.ClientContext(ctx, i.client)
	token, err := c.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		return nil, i.refusal(err)
	}
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return nil, unproven("the issuer %s sent no ID token", i.Issuer)
	}
	return i.verify(ctx, raw)
}
