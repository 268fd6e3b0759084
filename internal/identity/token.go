package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
)

// TokenPrefix begins every token of a server. What follows is its id, _ and 32 random bytes in hexadecimal digits.
const TokenPrefix = "sluice_"

const idLength = 12

// A Request asks for a token.
type Request struct {
	Name  string
	Roles []string
	Life  time.Duration // 0: for ever
	Owner string        // the identity of who asks
}

// MakeToken makes a token and returns its text, which nobody can see again. A role that does not exist is Invalid. Who
// may make tokens may do everything that a role allows, so the verb for it is Administer.
func (a *Authenticator) MakeToken(ctx context.Context, q Request) (t sluice.Token, text string, err error) {
	if q.Name == "" || len(q.Roles) == 0 || q.Life < 0 {
		return t, "", sluice.Errorf(sluice.Invalid, "a token needs a name, at least one role and a time that is not negative")
	}
	known := a.Roles()
	for _, name := range q.Roles {
		if !slices.ContainsFunc(known, func(r access.Role) bool { return r.Name == name }) {
			return t, "", sluice.Errorf(sluice.Invalid, "there is no role %.100q", name).
				WithHint("name one of those under server.roles in sluice.yaml")
		}
	}
	id := strings.ToLower(rand.Text()[:idLength])
	secret := make([]byte, 32)
	rand.Read(secret) // never fails: it ends the program if there is no randomness
	text = TokenPrefix + id + "_" + hex.EncodeToString(secret)
	hash := sha256.Sum256([]byte(text))
	now := a.Now().UTC()
	t = sluice.Token{ID: id, Name: q.Name, Hash: hash[:], Owner: q.Owner, Roles: q.Roles, MadeAt: now}
	if q.Life > 0 {
		t.Expires = now.Add(q.Life)
	}
	if err := a.Tokens.PutToken(ctx, t); err != nil {
		return sluice.Token{}, "", err
	}
	return t, text, nil
}

// token returns the caller whom a token of the server proves, without grants and with an error if it has expired.
func (a *Authenticator) token(ctx context.Context, text string) (access.Caller, error) {
	id, _, ok := strings.Cut(strings.TrimPrefix(text, TokenPrefix), "_")
	if !ok || len(text) > maxToken || !isID(id) {
		return access.Caller{}, unproven("the token is not whole")
	}
	t, err := a.Tokens.Token(ctx, id)
	if sluice.ErrorCode(err) == sluice.NotFound {
		return access.Caller{}, wrongToken(id)
	}
	if err != nil {
		return access.Caller{}, err
	}
	hash := sha256.Sum256([]byte(text))
	if subtle.ConstantTimeCompare(hash[:], t.Hash) != 1 {
		return access.Caller{}, wrongToken(id)
	}
	by := sluice.Actor{Name: t.Name, Identity: "token:" + t.ID}
	if !t.Expires.IsZero() && !a.Now().Before(t.Expires) {
		return access.Caller{Actor: by}, sluice.Errorf(sluice.Unauthenticated, "the token %s (%s) expired at %s",
			t.ID, t.Name, t.Expires.UTC().Format(time.RFC3339)).WithHint("ask an administrator of this server for a new one")
	}
	return a.policy().InRoles(by, t.Roles), nil
}

// isID reports whether the text has the form of an id. Something else may be a part of a secret, and is not repeated.
func isID(text string) bool {
	return len(text) == idLength && !strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '2' || r > '7') // base32
	})
}

// wrongToken does not say whether there is a token with the id.
func wrongToken(id string) error {
	return sluice.Errorf(sluice.Unauthenticated, "the token %q is wrong, or was deleted", id).
		WithHint("check SLUICE_TOKEN, or ask an administrator of this server for a new token")
}
