package main

import (
	"context"
	"net/http"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/httpapi"
)

// preview returns the URL at which a Service of a cluster is shown, "" for an account whose own addresses answer here.
func (w *wiring) preview(account, namespace, service string, port int, until time.Time) (string, error) {
	if _, opened := w.opened[account]; !opened || w.config.Accounts[account].Type != config.AccountKubernetes {
		return "", nil
	}
	return httpapi.PreviewURL(w.callbackBase, w.key, httpapi.Preview{Account: account, Namespace: namespace, Service: service, Port: port, Expires: until})
}

// inbound is what is served where callbacks are awaited: callbacks, and beside them what is shown.
func (w *wiring) inbound(callbacks http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/callbacks/", callbacks)
	mux.Handle("/", httpapi.NewPreviews(w.key, w.carry, time.Now))
	return mux
}

// carry returns what carries requests to a Service that is shown.
func (w *wiring) carry(ctx context.Context, p httpapi.Preview) (http.RoundTripper, error) {
	a, ok := w.opened[p.Account]
	if !ok {
		return nil, sluice.Errorf(sluice.NotFound, "account %q is not open here any more", p.Account)
	}
	return a.Transport(ctx, p.Namespace, p.Service, p.Port)
}
