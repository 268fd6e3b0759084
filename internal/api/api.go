package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/server"
)

// Prefix is where the API begins.
const Prefix = "/api/v1"

// The bounds of a request. A bundle travels in base64.
const (
	maxBody   = 1 << 20
	maxBundle = server.MaxBundle/3*4 + maxBody
)

// Config is what an API works with.
type Config struct {
	Server *server.Server
	// Caller proves who sends the request. Unauthenticated: nobody is proven.
	Caller func(r *http.Request) (access.Caller, error)
	// Identity says how a command line logs in. Everybody may read it.
	Identity func() access.Discovery
	// MakeToken makes a token and returns its text, which nobody can see again.
	MakeToken func(ctx context.Context, q TokenRequest, owner sluice.Actor) (t sluice.Token, text string, err error)
	Version   string
	// Owned says that every caller has the key of the server, as at the socket of a state directory: they may hand over
	// plans that they have sealed.
	Owned bool
}

type api struct {
	Config
	huma huma.API
}

// New returns the handler of everything below [Prefix].
func New(c Config) http.Handler {
	huma.NewError = refused // the library has no other place for it
	mux := http.NewServeMux()
	config := huma.DefaultConfig("Sluice", c.Version)
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "/openapi", "", "/schemas"
	config.CreateHooks, config.Transformers = nil, nil // no links to schemas in answers
	config.Info.Description = "The API of a Sluice server. Errors are those of RFC 9457, with a code and a hint."
	config.Servers = []*huma.Server{{URL: Prefix}}
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer": {Type: "http", Scheme: "bearer", Description: "A token of this server, or an OIDC token"},
	}
	config.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	a := &api{Config: c}
	a.huma = humago.NewWithPrefix(mux, Prefix, config)
	a.deployments()
	a.signals()
	a.bundles()
	a.rollbacks()
	a.applications()
	a.checkpoints()
	a.verification()
	a.branches()
	a.reaping()
	a.pods()
	a.feed()
	a.administration()
	a.tokens()
	if c.Owned {
		a.handovers()
	}
	mux.HandleFunc(Prefix+"/", func(w http.ResponseWriter, r *http.Request) {
		write(w, problemOf(sluice.Errorf(sluice.NotFound, "the API has no %s %s", r.Method, r.URL.Path).
			WithHint("see what it has at "+Prefix+"/openapi.json")))
	})
	return mux
}

// register adds one operation of the API for callers that are proven. What it reads is bounded.
func register[I, O any](a *api, op huma.Operation, do func(context.Context, access.Caller, *I) (*O, error)) {
	op.Security = []map[string][]string{{"bearer": {}}}
	if op.MaxBodyBytes == 0 {
		op.MaxBodyBytes = maxBody
	}
	op.Middlewares = append(op.Middlewares, a.prove)
	op.Errors = []int{400, 401, 403, 404, 409, 503}
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := do(ctx, ctx.Value(callerKey{}).(access.Caller), in)
		if err != nil {
			return nil, problemOf(unanswered(ctx, err))
		}
		return out, nil
	})
}

// unanswered returns the error, or Unavailable if the server stops and has cancelled the request: another server can
// answer it.
func unanswered(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return sluice.Errorf(sluice.Unavailable, "the server stopped before it had the answer").WithHint("try it again")
}

type callerKey struct{}

// prove lets only proven callers pass.
func (a *api) prove(ctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	c, err := a.Caller(r)
	if err != nil {
		w.Header().Set("WWW-Authenticate", `Bearer realm="sluice"`)
		write(w, problemOf(unanswered(r.Context(), err)))
		return
	}
	next(huma.WithValue(ctx, callerKey{}, c))
}
