package identity

import (
	"net/http"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/config"
)

// Options are what an Authenticator needs.
type Options struct {
	Server config.Server
	// Roles returns the roles as sluice.yaml has them now, so that a change is used at the next call; nil: those of
	// Server.
	Roles        func() []access.Role
	Tokens       sluice.Tokens
	Audit        sluice.Audit                // of who proved who they are, and who could not
	Key          func(purpose string) []byte // derives keys of 32 bytes; processes that share sessions have the same
	ClientSecret func() (string, error)      // nil: the client has none
	User         string                      // who calls a server that is open: see [config.Server.IsOpen]
	Now          func() time.Time
	// Fail writes an error to a browser.
	Fail func(w http.ResponseWriter, r *http.Request, err error)
}

// An Authenticator proves who calls a server. It is safe for concurrent use.
type Authenticator struct {
	Options
	people   *issuer   // nil: there is none
	issuers  []*issuer // all
	sessions sealer
	logins   sealer
	limits   *limits
	audit    *auditor
	origins  *http.CrossOriginProtection
}

// New returns an Authenticator. It contacts no issuer yet.
func New(o Options) *Authenticator {
	if o.Roles == nil {
		o.Roles = func() []access.Role { return o.Server.Roles }
	}
	a := &Authenticator{
		Options: o, limits: newLimits(o.Now, logins, allLogins), audit: newAuditor(o.Audit, o.Now),
		origins:  http.NewCrossOriginProtection(),
		sessions: newSealer(o.Key("sessions of browsers"), "session"),
		logins:   newSealer(o.Key("logins of browsers"), "login"),
	}
	_ = a.origins.AddTrustedOrigin(o.Server.URL()) // an address that is no origin is trusted nowhere
	if p := o.Server.Identity; p != nil {
		w := config.Workload{Issuer: p.Issuer, Audience: p.ClientID, CAFile: p.CAFile}
		a.people = newIssuer(w, o.Now)
		a.issuers = append(a.issuers, a.people)
		if w.Audience = p.CLIClientID; w.Audience != p.ClientID {
			a.issuers = append(a.issuers, newIssuer(w, o.Now))
		}
	}
	for _, w := range o.Server.Workloads {
		a.issuers = append(a.issuers, newIssuer(w, o.Now))
	}
	return a
}

// Caller returns who makes the request, with the roles that the caller has now. A caller who cannot prove it is
// Unauthenticated; a request that a page of another site made a browser send is Denied. While an issuer is away whose
// keys are not known yet it is Unavailable. The audit has the tokens that were refused.
func (a *Authenticator) Caller(r *http.Request) (access.Caller, error) {
	c, err := a.prove(r)
	if err != nil {
		return access.Caller{}, err
	}
	c.Actor.From = a.from(r)
	return c, nil
}

// prove returns who makes the request. With an error it returns whom a token proved that has expired.
func (a *Authenticator) prove(r *http.Request) (access.Caller, error) {
	if a.Server.IsOpen() {
		return a.local(r)
	}
	headers := r.Header.Values("Authorization")
	if len(headers) == 0 {
		return a.browser(r)
	}
	scheme, credential, _ := strings.Cut(headers[0], " ")
	if len(headers) > 1 || !strings.EqualFold(scheme, "Bearer") || credential == "" {
		return access.Caller{}, unproven("the header Authorization does not have the form: Bearer TOKEN")
	}
	c, err := a.bearer(r, strings.TrimSpace(credential))
	c.Actor.Via = "api"
	if sluice.ErrorCode(err) == sluice.Unauthenticated {
		c.Actor.From = a.from(r)
		a.audit.refuse(r.Context(), authenticate, c.Actor, err)
	}
	return c, err
}

func (a *Authenticator) bearer(r *http.Request, credential string) (access.Caller, error) {
	if strings.HasPrefix(credential, TokenPrefix) {
		return a.token(r.Context(), credential)
	}
	s, err := a.subject(r.Context(), credential)
	if err != nil {
		return access.Caller{}, err
	}
	return a.policy().Caller(s), nil
}

func (a *Authenticator) policy() access.Policy { return access.Policy{Roles: a.Roles()} }

// Discovery returns what everybody may know about how to prove who they are here.
func (a *Authenticator) Discovery() access.Discovery {
	var d access.Discovery
	if p := a.Server.Identity; p != nil {
		d.Issuer, d.ClientID, d.Scopes = p.Issuer, p.CLIClientID, p.Scopes
	}
	if len(a.Server.Workloads) > 0 {
		d.Audience = a.Server.URL()
	}
	return d
}

// unproven is the error of a caller who does not prove who it is.
func unproven(format string, args ...any) error {
	return sluice.Errorf(sluice.Unauthenticated, format, args...).
		WithHint("log in with: sluice login; a program needs a token in SLUICE_TOKEN")
}
