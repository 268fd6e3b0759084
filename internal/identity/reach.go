package identity

import (
	"context"
	"time"

	"github.com/sluice-cd/sluice/internal/config"
)

// Reach asks an issuer for its discovery document, as a server does. Unavailable: it does not answer, names another
// issuer, or has its keys where anybody could change them.
func Reach(ctx context.Context, w config.Workload) error {
	i := newIssuer(w, time.Now)
	defer i.client.CloseIdleConnections()
	_, _, err := i.know(ctx)
	return err
}
