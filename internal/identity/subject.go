package identity

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/config"
)

// maxToken bounds the tokens that are looked at.
const maxToken = 16 << 10

// subject returns whom an OIDC token proves.
func (a *Authenticator) subject(ctx context.Context, raw string) (access.Subject, error) {
	i, err := a.issuerOf(raw)
	if err != nil {
		return access.Subject{}, err
	}
	claims, err := i.verify(ctx, raw)
	if err != nil {
		return access.Subject{}, err
	}
	return a.describe(i, claims), nil
}

// issuerOf returns the issuer that would have to verify the token. What the token says is not proven yet.
func (a *Authenticator) issuerOf(raw string) (*issuer, error) {
	if len(raw) > maxToken || strings.Count(raw, ".") != 2 {
		return nil, unproven("the token has a form that this server does not know")
	}
	says, ok := claimed(raw)
	if !ok {
		return nil, unproven("the token has a form that this server does not know")
	}
	var named *issuer
	for _, i := range a.issuers {
		if i.Issuer == says.Issuer && (named == nil || slices.Contains(texts(says.Audience), i.Audience)) {
			named = i
		}
	}
	if named == nil {
		return nil, unproven("this server does not know the issuer %.200q of the token", says.Issuer)
	}
	return named, nil
}

// A claim is for whom and by whom a token says that it was made.
type claim struct {
	Issuer   string          `json:"iss"`
	Audience json.RawMessage `json:"aud"`
}

// claimed reads what a token says of itself, false if it cannot be read. Nothing of it is proven.
func claimed(raw string) (says claim, ok bool) {
	_, rest, _ := strings.Cut(raw, ".")
	middle, _, _ := strings.Cut(rest, ".")
	body, err := base64.RawURLEncoding.DecodeString(middle)
	ok = err == nil && json.Unmarshal(body, &says) == nil
	return says, ok
}

// texts returns the texts of a claim that is a text or a list of them.
func texts(raw json.RawMessage) (list []string) {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}
	}
	if json.Unmarshal(raw, &list) != nil {
		return nil
	}
	return list
}

// describe turns proven claims into a subject.
func (a *Authenticator) describe(i *issuer, claims map[string]any) access.Subject {
	s := access.Subject{Issuer: i.Issuer, Workload: i.Name}
	s.ID, _ = claims["sub"].(string)
	if i.Name != "" {
		s.Claims = claims
		return s
	}
	p := a.Server.Identity
	if s.User, _ = claims[p.UserClaim].(string); p.UserClaim == config.ClaimEmail && !isTrue(claims["email_verified"]) {
		s.User = ""
	}
	switch groups := claims[p.GroupsClaim].(type) {
	case string:
		s.Groups = []string{groups}
	case []any:
		for _, g := range groups {
			if name, ok := g.(string); ok {
				s.Groups = append(s.Groups, name)
			}
		}
	}
	return s
}

// isTrue accepts the flag as some issuers write it.
func isTrue(claim any) bool { return claim == true || claim == "true" }
