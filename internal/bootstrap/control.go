package bootstrap

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/api"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/server"
)

// drainControl is how long the socket waits for answers that are being written when its process stops.
const drainControl = 5 * time.Second

// A control answers other processes at the socket of the state directory, over the API of servers. Everyone who can
// connect is the user, and may do everything.
type control struct {
	core *server.Server
	http *http.Server
	end  context.CancelFunc // of the streams
}

// control returns what answers at the socket. It builds its API when somebody asks.
func (o *owner) control(i Instance, logger *slog.Logger) *control {
	config := o.serving(i, logger)
	config.Alone = true
	c := &control{core: server.New(config)}
	handler := sync.OnceValue(func() http.Handler {
		return api.New(api.Config{
			Server: c.core, Caller: claimed, Owned: true, Version: Version().Version,
			Identity: func() access.Discovery { return access.Discovery{} },
			MakeToken: func(context.Context, api.TokenRequest, sluice.Actor) (t sluice.Token, text string, err error) {
				return t, "", sluice.Errorf(sluice.Unsupported, "tokens are for callers of a server")
			},
		})
	})
	streams, end := context.WithCancel(context.Background())
	c.end = end
	c.http = &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler().ServeHTTP(w, r) }),
		ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return streams },
	}
	return c
}

// Close takes no more deployments, tells those that were taken to their callers, and ends every connection.
func (c *control) Close() error {
	hung := time.AfterFunc(drainControl, c.end)
	defer hung.Stop()
	c.core.Refuse()
	c.end()
	draining, cancel := context.WithTimeout(context.Background(), drainControl)
	defer cancel()
	err := c.http.Shutdown(draining)
	if errors.Is(err, context.DeadlineExceeded) {
		err = c.http.Close()
	}
	c.core.Close()
	return err
}

// claim says who the user is. At the socket it needs no proof.
func claim(by sluice.Actor) string {
	text, _ := json.Marshal(by) // its fields can always be encoded
	return base64.RawURLEncoding.EncodeToString(text)
}

// claimed returns the caller who says so.
func claimed(r *http.Request) (access.Caller, error) {
	var by sluice.Actor
	text, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(raw, &by)
	}
	if err != nil {
		return access.Caller{}, sluice.Errorf(sluice.Unauthenticated, "the request does not say who sends it: %w", err)
	}
	by.Identity, by.From = "", "" // nothing is proven
	return access.Everything(by), nil
}

// Control returns a client of the process that owns the directory, in the name of the user. The caller closes it.
// Unavailable: there is no such process.
func (d StateDir) Control(ctx context.Context, by sluice.Actor) (*api.Client, error) {
	client := api.Direct(claim(by), &http.Client{Transport: overSocket(d.socket())})
	_, err := client.Caller(ctx)
	if err != nil {
		client.Close()
		return nil, err
	}
	return client, nil
}

// elsewhere is the engine of the process that owns the directory.
type elsewhere struct{ dir StateDir }

func (e elsewhere) Start(ctx context.Context, p *sluice.Plan, by sluice.Actor) (sluice.DeploymentID, error) {
	client, err := e.dir.Control(ctx, by)
	if err != nil {
		return "", err
	}
	defer client.Close()
	return client.HandOver(ctx, p)
}

func (e elsewhere) Reopen(ctx context.Context, id sluice.DeploymentID, by sluice.Actor) error {
	client, err := e.dir.Control(ctx, by)
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Reopen(ctx, id, "")
}

func (e elsewhere) Watch(
	ctx context.Context, id sluice.DeploymentID, after sluice.Seq,
) iter.Seq2[engine.Update, error] {
	return func(yield func(engine.Update, error) bool) {
		client, err := e.dir.Control(ctx, sluice.Actor{})
		if err != nil {
			yield(engine.Update{}, err)
			return
		}
		defer client.Close()
		for u, err := range client.Watch(ctx, id, after) {
			if !yield(u, err) {
				return
			}
		}
	}
}
