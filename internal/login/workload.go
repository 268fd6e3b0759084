package login

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/regular"
)

// fromFile returns the token in a file, such as one that Kubernetes renews.
func (c *Credentials) fromFile(file string) (string, error) {
	data, err := regular.File(file, maxFile)
	if err != nil {
		return "", sluice.Errorf(sluice.Unauthenticated, "the token cannot be read: %w", err).
			WithHint("correct %s", envTokenFile)
	}
	text := strings.TrimSpace(string(data))
	if text == "" {
		return "", sluice.Errorf(sluice.Unauthenticated, "the file %s is empty", file).WithHint("correct %s", envTokenFile)
	}
	return text, nil
}

// fromGitHub asks GitHub for a token of this job that only the server can use. The audience does not come from the
// server: one could ask for the token of another.
func (c *Credentials) fromGitHub(ctx context.Context, server string) (string, error) {
	audience := cmp.Or(c.Getenv(envAudience), server)
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.issued[audience]; c.Now().Add(margin).Before(t.ends) {
		return t.text, nil
	}
	u, err := url.Parse(c.Getenv(envGitHubURL))
	if err != nil || !isSafe(u) {
		return "", sluice.Errorf(sluice.Invalid, "%s is not an https address", envGitHubURL)
	}
	q := u.Query()
	q.Set("audience", audience)
	u.RawQuery = q.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", sluice.Errorf(sluice.Invalid, "%s is not an address", envGitHubURL)
	}
	c.Learn(c.Getenv(envGitHub))
	r.Header.Set("Authorization", "Bearer "+c.Getenv(envGitHub))
	var answer struct {
		Value string `json:"value"`
	}
	if err := c.get(r, "GitHub", &answer); err != nil {
		return "", err
	}
	if answer.Value == "" {
		return "", sluice.Errorf(sluice.Unauthenticated, "GitHub gives this job no token").
			WithHint("give the job the permission id-token: write")
	}
	if c.issued == nil {
		c.issued = map[string]token{}
	}
	c.issued[audience] = token{answer.Value, expiry(answer.Value)}
	return answer.Value, nil
}
