package identity

import (
	"net/http"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/regular"
)

// bearing sends the token in the file to an issuer that tells its keys only to callers it knows, as the API server of a
// cluster does. It is for documents, whose redirects nobody follows: see [frugal].
type bearing struct {
	http.RoundTripper
	file string
}

// RoundTrip implements http.RoundTripper. It reads the file each time, because tokens are renewed.
func (b bearing) RoundTrip(r *http.Request) (*http.Response, error) {
	data, err := regular.File(b.file, maxToken)
	if err != nil {
		return nil, sluice.Errorf(sluice.Unavailable, "the token for it cannot be read: %w", err).
			WithHint("correct tokenFile in sluice.yaml")
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(data)))
	return b.RoundTripper.RoundTrip(r)
}
