package login

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/outbound"
)

// IdentityPath is where a server answers with its [access.Discovery], to everybody.
const IdentityPath = "/api/v1/identity"

// The environment variables that Token reads. GitHub sets the last two in jobs that may have an ID token.
const (
	envToken     = "SLUICE_TOKEN"
	envTokenFile = "SLUICE_TOKEN_FILE"
	envAudience  = "SLUICE_AUDIENCE"
	envGitHubURL = "ACTIONS_ID_TOKEN_REQUEST_URL"
	envGitHub    = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
)

const (
	maxAnswer = 1 << 20          // bytes of what servers and issuers answer
	patience  = 20 * time.Second // until they have to answer
	margin    = time.Minute      // before its end a token is renewed
)

// Credentials prove to servers who somebody is. They are safe for concurrent use.
type Credentials struct {
	File   string // where logins are kept, such as ~/.config/sluice/credentials.json
	CAFile string // PEM: certificates to trust besides the system's
	Getenv func(string) string
	Now    func() time.Time
	Learn  func(secret string) // is told every secret, so that nothing prints it

	mu     sync.Mutex
	issued map[string]token // of the CI system, by audience
}

type token struct {
	text string
	ends time.Time
}

// Token returns what to send to the server, which is named by its URL: the token in SLUICE_TOKEN, that in the file
// SLUICE_TOKEN_FILE, that of a login, which it renews, or one of the CI system. Without any, or if the login cannot be
// renewed, it is Unauthenticated. A server or issuer that does not answer is Unavailable.
func (c *Credentials) Token(ctx context.Context, server string) (string, error) {
	server, err := origin(server)
	if err != nil {
		return "", err
	}
	text, err := c.find(ctx, server)
	if err == nil {
		c.Learn(text)
	}
	return text, err
}

func (c *Credentials) find(ctx context.Context, server string) (string, error) {
	if text := strings.TrimSpace(c.Getenv(envToken)); text != "" {
		return text, nil
	}
	if file := c.Getenv(envTokenFile); file != "" {
		return c.fromFile(file)
	}
	text, err := c.ofLogin(ctx, server)
	if sluice.ErrorCode(err) != sluice.NotFound {
		return text, err
	}
	if c.Getenv(envGitHubURL) != "" {
		return c.fromGitHub(ctx, server)
	}
	return "", sluice.Errorf(sluice.Unauthenticated, "nobody is logged in to %s", server).
		WithHint("log in with: sluice login %s; a program needs a token in %s", server, envToken)
}

// origin returns the URL of a server as logins are kept by. Without TLS a server has to be on this machine.
func origin(server string) (string, error) {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil ||
		strings.Trim(u.Path, "/")+u.RawQuery+u.Fragment != "" {
		return "", sluice.Errorf(sluice.Invalid, "%.200q is not the address of a server", server).
			WithHint("write it like https://sluice.example.com")
	}
	if !isSafe(u) {
		return "", sluice.Errorf(sluice.Invalid, "the server %s has no TLS, so others could read what is sent", u.Host).
			WithHint("write https://%s", u.Host)
	}
	return u.Scheme + "://" + strings.ToLower(u.Host), nil
}

// isSafe reports whether nobody on the way can read what is sent to the address.
func isSafe(u *url.URL) bool {
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || err == nil &&
		ip.Unmap().IsLoopback())
}

// client returns a client for servers and issuers.
func (c *Credentials) client() *http.Client {
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.DisableKeepAlives = true // a command makes one or two calls
	return &http.Client{
		Transport: outbound.Bound(outbound.Trust(base, c.CAFile), maxAnswer), Timeout: patience,
		CheckRedirect: outbound.Redirects{Body: true}.Check,
	}
}

// discover asks the server how people log in.
func (c *Credentials) discover(ctx context.Context, server string) (d access.Discovery, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server+IdentityPath, nil)
	if err != nil {
		return d, sluice.Errorf(sluice.Invalid, "%s is not the address of a server", server)
	}
	if err := c.get(r, "the server "+server, &d); err != nil {
		return d, err
	}
	if d.Issuer == "" || d.ClientID == "" {
		return d, sluice.Errorf(sluice.Unsupported, "nobody can log in to %s", server).
			WithHint("without an issuer it takes tokens, or everybody on its own machine")
	}
	return d, nil
}

// get reads the JSON that the request is answered with.
func (c *Credentials) get(r *http.Request, whom string, into any) error {
	resp, err := c.client().Do(r)
	if err != nil {
		return away(whom, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return away(whom, err)
	}
	if resp.StatusCode != http.StatusOK {
		return sluice.Errorf(sluice.Unavailable, "%s answers %s", whom, resp.Status).
			WithHint("%s", cmp.Or(outbound.StatusHint(resp.StatusCode), "check the address"))
	}
	if json.Unmarshal(body, into) != nil {
		return sluice.Errorf(sluice.Unavailable, "%s does not answer as expected", whom).
			WithHint("check the address, and that a proxy did not answer in its place")
	}
	return nil
}

// away is the error of somebody who does not answer.
func away(whom string, err error) error {
	why, hint := outbound.Explain(err, "SSL_CERT_FILE")
	return sluice.Errorf(sluice.Unavailable, "%s does not answer: %.300s", whom, strings.TrimSpace(why)).
		WithHint("%s", cmp.Or(hint, "try again later"))
}
