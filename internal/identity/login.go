package identity

import (
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
)

// The paths of the pages that Handler serves.
const (
	LoginPath    = "/login"
	callbackPath = "/login/callback"
	LogoutPath   = "/logout"
)

const (
	sessionCookie = "sluice"
	loginCookie   = "sluice-login"
)

// A login is what the browser keeps in a cookie while the person is at the issuer.
type login struct {
	State    string    `json:"state"`
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"`
	Return   string    `json:"return"`
	Expires  time.Time `json:"expires"`
}

// Handler serves GET /login?return=PATH, GET /login/callback and POST /logout to browsers.
func (a *Authenticator) Handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, serve := range map[string]func(http.ResponseWriter, *http.Request) error{
		"GET " + LoginPath: a.begin, "GET " + callbackPath: a.finish, "POST " + LogoutPath: a.logOut,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "no-store")
			w.Header().Set("Referrer-Policy", "no-referrer")
			if err := serve(w, r); err != nil {
				a.Fail(w, r, err)
			}
		})
	}
	return mux
}

// begin sends a person to the issuer.
func (a *Authenticator) begin(w http.ResponseWriter, r *http.Request) error {
	c, err := a.flow(r)
	if err != nil {
		return a.refuseLogin(r, access.Subject{}, err)
	}
	l := login{
		State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(),
		Return: localPath(r.FormValue("return")), Expires: a.Now().Add(loginLife),
	}
	value, err := a.logins.seal(l)
	if err != nil {
		return err
	}
	a.setCookie(w, loginCookie, value, loginLife)
	to := c.AuthCodeURL(l.State, oidc.Nonce(l.Nonce), oauth2.S256ChallengeOption(l.Verifier))
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// refuseLogin records the error of a login and returns it. Where nobody can log in, it is no refusal.
func (a *Authenticator) refuseLogin(r *http.Request, s access.Subject, err error) error {
	if a.people != nil {
		a.audit.refuse(r.Context(), logIn, a.actor(r, s), err)
	}
	return err
}

// flow returns what the two requests of a login share, and counts them.
func (a *Authenticator) flow(r *http.Request) (oauth2.Config, error) {
	if a.people == nil {
		return oauth2.Config{}, sluice.Errorf(sluice.NotFound, "nobody can log in to this server").
			WithHint("add identity to server in sluice.yaml, or call the server with a token")
	}
	if !a.limits.allow(a.from(r)) {
		return oauth2.Config{}, sluice.Errorf(sluice.Exhausted, "there were too many logins").WithHint("wait a minute")
	}
	secret := ""
	if a.ClientSecret != nil {
		var err error
		if secret, err = a.ClientSecret(); err != nil {
			return oauth2.Config{}, err
		}
	}
	endpoint, err := a.people.endpoint(r.Context(), secret != "")
	if err != nil {
		return oauth2.Config{}, err
	}
	return oauth2.Config{
		ClientID: a.Server.Identity.ClientID, ClientSecret: secret, Endpoint: endpoint,
		RedirectURL: a.Server.URL() + callbackPath, Scopes: append([]string{oidc.ScopeOpenID}, a.Server.Identity.Scopes...),
	}, nil
}

// finish takes the person back whom the issuer sends.
func (a *Authenticator) finish(w http.ResponseWriter, r *http.Request) error {
	a.setCookie(w, loginCookie, "", 0)
	s, to, err := a.arrive(r)
	if err != nil {
		return a.refuseLogin(r, s.Subject, err)
	}
	value, err := a.sealed(s)
	if err != nil {
		return a.refuseLogin(r, s.Subject, err)
	}
	if err := a.audit.admit(r.Context(), logIn, a.actor(r, s.Subject)); err != nil {
		return err
	}
	a.setCookie(w, sessionCookie, value, sessionLife)
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// arrive returns the session of the person whom the issuer proves, and the path to which the person returns.
func (a *Authenticator) arrive(r *http.Request) (s session, to string, err error) {
	c, err := a.flow(r)
	if err != nil {
		return s, "", err
	}
	l, err := a.begun(r)
	if err != nil {
		return s, "", err
	}
	if why := r.FormValue("error"); why != "" {
		return s, "", again("the issuer refuses the login: %s", errorCode(why))
	}
	claims, err := a.people.exchange(r.Context(), c, r.FormValue("code"), l.Verifier)
	if err != nil {
		return s, "", err
	}
	if nonce, _ := claims["nonce"].(string); subtle.ConstantTimeCompare([]byte(nonce), []byte(l.Nonce)) != 1 {
		return s, "", again("the issuer's answer belongs to another login")
	}
	s = session{Subject: a.describe(a.people, claims), Expires: a.Now().Add(sessionLife)}
	s.Subject.Groups = a.policy().Known(s.Subject.Groups)
	return s, l.Return, nil
}

// sealed returns the session as a cookie holds it.
func (a *Authenticator) sealed(s session) (string, error) {
	value, err := a.sessions.seal(s)
	if err != nil {
		return "", err
	}
	if len(value) > maxCookie {
		return "", sluice.Errorf(sluice.Exhausted, "the session does not fit into a cookie: %s is in %d groups that "+
			"roles name", s.Subject.Name(), len(s.Subject.Groups)).WithHint("name fewer groups in the roles of sluice.yaml")
	}
	return value, nil
}

// begun returns the login that this browser began and that the issuer answers.
func (a *Authenticator) begun(r *http.Request) (l login, err error) {
	cookie, err := r.Cookie(a.cookieName(loginCookie))
	if err != nil || !a.logins.open(cookie.Value, &l) || !a.Now().Before(l.Expires) {
		return login{}, again("the login took longer than %s, or began in another browser", loginLife)
	}
	if subtle.ConstantTimeCompare([]byte(r.FormValue("state")), []byte(l.State)) != 1 {
		return login{}, again("the issuer's answer belongs to another login")
	}
	return l, nil
}

// logOut ends the session of the browser. A copy of its cookie stays valid until it expires: the server keeps no list.
func (a *Authenticator) logOut(w http.ResponseWriter, r *http.Request) error {
	if err := a.sameSite(r); err != nil {
		return err
	}
	a.setCookie(w, sessionCookie, "", 0)
	if c, err := a.browser(r); err == nil { // others were not logged in
		c.Actor.From = a.from(r)
		if err := a.audit.admit(r.Context(), logOut, c.Actor); err != nil {
			return err
		}
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}

// localPath returns the path if it leads to this server, and / otherwise. Browsers read \ as /, and leave out tabs and
// line ends.
func localPath(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(path, "/") ||
		strings.HasPrefix(path, "//") || strings.ContainsFunc(path, isMisread) {
		return "/"
	}
	return path
}

func isMisread(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }
