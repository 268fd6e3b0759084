package bootstrap

import (
	"context"
	"net/http"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/httpapi"
	"github.com/sluice-cd/sluice/internal/kubernetes"
)

// preview returns the URL of the preview of a Service in a cluster, "" for an account with addresses on this machine.
func (w *Wiring) preview(account, namespace, service string, port int, until time.Time) (string, error) {
	if _, cluster := w.opened[account].(*kubernetes.Account); !cluster {
		return "", nil
	}
	p := httpapi.Preview{Account: account, Namespace: namespace, Service: service, Port: port, Expires: until}
	return httpapi.PreviewURL(w.callbackBase, w.key, p)
}

// inbound serves callbacks and previews at the callback address.
func (w *Wiring) inbound(e *engine.Engine, log sluice.Log) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/callbacks/", httpapi.NewCallbacks(e, log, w.key, time.Now))
	mux.Handle("/", httpapi.NewPreviews(w.key, w.carry, time.Now))
	return mux
}

// carry returns the transport to a Service that is previewed.
func (w *Wiring) carry(ctx context.Context, p httpapi.Preview) (http.RoundTripper, error) {
	a, ok := w.opened[p.Account]
	if !ok {
		return nil, sluice.Errorf(sluice.NotFound, "account %q is not open here any more", p.Account)
	}
	return a.Transport(ctx, p.Namespace, p.Service, p.Port)
}
