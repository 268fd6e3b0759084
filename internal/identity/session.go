package identity

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
)

const (
	sessionLife = 12 * time.Hour // from the login, however much it is used
	loginLife   = 10 * time.Minute
	maxCookie   = 4000 // bytes; browsers keep 4096 with the name
)

// A session is what the cookie of a browser holds. The server keeps nothing.
type session struct {
	Subject access.Subject `json:"subject"`
	Expires time.Time      `json:"expires"`
}

// A sealer encrypts the content of cookies for one purpose.
type sealer struct {
	aead    cipher.AEAD
	purpose []byte
}

func newSealer(key []byte, purpose string) sealer {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // a key has 32 bytes
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // only another block cipher fails
	}
	return sealer{aead, []byte(purpose)}
}

func (s sealer) seal(value any) (string, error) {
	plain, err := json.Marshal(value)
	if err != nil {
		return "", sluice.Errorf(sluice.Internal, "write a cookie: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, plain, s.purpose)), nil
}

// open reverses seal. It returns false for everything that this purpose did not seal.
func (s sealer) open(text string, into any) bool {
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(sealed) < s.aead.Overhead() {
		return false
	}
	plain, err := s.aead.Open(nil, nil, sealed, s.purpose)
	return err == nil && json.Unmarshal(plain, into) == nil
}

// browser returns the caller whom the session cookie proves.
func (a *Authenticator) browser(r *http.Request) (access.Caller, error) {
	cookie, err := r.Cookie(a.cookieName(sessionCookie))
	if err != nil {
		return access.Caller{}, unproven("this call does not say who makes it")
	}
	if err := a.sameSite(r); err != nil {
		return access.Caller{}, err
	}
	var s session
	switch {
	case !a.sessions.open(cookie.Value, &s):
		return access.Caller{}, again("the session is not one of this server")
	case !a.Now().Before(s.Expires):
		return access.Caller{}, again("the session has ended")
	case a.people == nil || s.Subject.Issuer != a.people.Issuer:
		return access.Caller{}, again("the session is of another issuer")
	}
	c := a.policy().Caller(s.Subject)
	c.Actor.Via = "page"
	return c, nil
}

// again is the error of a browser that has to log in once more.
func again(format string, args ...any) error {
	return sluice.Errorf(sluice.Unauthenticated, format, args...).WithHint("log in again at /login")
}

// isSecure reports whether browsers reach the server by https.
func (a *Authenticator) isSecure() bool { return strings.HasPrefix(a.Server.URL(), "https://") }

// cookieName returns a name that, over https, no other host and no page without TLS can set a cookie with.
func (a *Authenticator) cookieName(name string) string {
	if a.isSecure() {
		return "__Host-" + name
	}
	return name
}

// setCookie sets a cookie for pages of this server, or deletes it if the value is "".
func (a *Authenticator) setCookie(w http.ResponseWriter, name, value string, life time.Duration) {
	c := &http.Cookie{
		Name: a.cookieName(name), Value: value, Path: "/", HttpOnly: true, Secure: a.isSecure(),
		SameSite: http.SameSiteLaxMode, MaxAge: int(life.Seconds()),
	}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}
