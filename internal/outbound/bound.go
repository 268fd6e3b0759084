package outbound

import (
	"io"
	"net/http"
)

// Bound returns the transport with bodies of answers that end after so many bytes. A body that is cut off does not
// parse, so its reader notices.
func Bound(t http.RoundTripper, most int64) http.RoundTripper { return bounded{t, most} }

type bounded struct {
	http.RoundTripper
	most int64
}

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, b.most), resp.Body}
	}
	return resp, err
}
