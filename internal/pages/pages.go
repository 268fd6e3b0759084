package pages

import (
	"context"
	"embed"
	"fmt"
	"hash/fnv"
	"html/template"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/present"
	"github.com/sluice-cd/sluice/internal/server"
)

// Config is what the pages work with.
type Config struct {
	Server *server.Server
	// Caller proves who sends the request. Unauthenticated: nobody is proven, and people are sent to /login.
	Caller func(r *http.Request) (access.Caller, error)
	Now    func() time.Time // default: time.Now
	Beat   time.Duration    // how often a stream says that it lives; default 15 seconds
	// ExamineEvery is how often the accounts are examined while somebody looks at their page; default 30 seconds.
	ExamineEvery time.Duration
}

// Pages serves the pages.
type Pages struct {
	Config
	index   *Index
	handler http.Handler
	stopped chan struct{} // closed when Follow returns
}

//go:embed static templates
var files embed.FS

// templates are parsed once. A fragment has the name of its element.
var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"short": short, "whole": whole, "brief": brief, "plural": present.Plural, "quantity": present.Quantity,
	"lines": func(s string) []string { return strings.Split(strings.TrimSuffix(s, "\n"), "\n") }, "diffClass": diffClass,
	"valueOf": valueOf,
}).ParseFS(files, "templates/*.html"))

// diffClass says what a line of a unified diff is.
func diffClass(line string) string {
	switch {
	case strings.HasPrefix(line, "+"):
		return "add"
	case strings.HasPrefix(line, "-"):
		return "del"
	case strings.HasPrefix(line, "@"):
		return "at"
	}
	return ""
}

// An asset is a file that browsers keep for good: its address changes with its content.
type asset struct {
	path    string
	kind    string
	content []byte
}

var (
	style  = assetOf("sluice.css")
	script = assetOf("sluice.js")
	icon   = assetOf("sluice.svg")
)

func assetOf(name string) asset {
	content, err := files.ReadFile("static/" + name)
	if err != nil {
		panic(err) // it is part of the binary
	}
	h := fnv.New64a()
	_, _ = h.Write(content)
	ext := path.Ext(name)
	return asset{
		path: fmt.Sprintf("/static/%s-%x%s", strings.TrimSuffix(name, ext), h.Sum64(), ext),
		kind: mime.TypeByExtension(ext), content: content,
	}
}

// New returns the pages. They answer once Follow has read the log.
func New(c Config) *Pages {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Beat == 0 {
		c.Beat = 15 * time.Second
	}
	if c.ExamineEvery == 0 {
		c.ExamineEvery = 30 * time.Second
	}
	p := &Pages{Config: c, index: NewIndex(c.Server.Store), stopped: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.overview)
	mux.HandleFunc("GET /deployments/{id}", p.deployment)
	mux.HandleFunc("GET /deployments/{id}/report", p.report)
	mux.HandleFunc("GET /deployments/{id}/rollback", p.rollbackSheet)
	mux.HandleFunc("GET /deployments/{id}/{action}", p.backToDeployment)
	mux.HandleFunc("POST /deployments/{id}/{action}", p.act)
	mux.HandleFunc("GET /applications/{name}", p.application)
	mux.HandleFunc("GET /applications/{name}/rollback", p.rollbackSheet)
	mux.HandleFunc("POST /applications/{name}/rollback", p.rollBack)
	mux.HandleFunc("GET /checkpoints", p.checkpoints)
	mux.HandleFunc("GET /audit", p.audit)
	mux.HandleFunc("GET /accounts", p.accounts)
	mux.HandleFunc("GET "+style.path, style.serve)
	mux.HandleFunc("GET "+script.path, script.serve)
	mux.HandleFunc("GET "+icon.path, icon.serve)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		p.fail(w, r, sluice.Errorf(sluice.NotFound, "there is no page %s", r.URL.Path).
			WithHint("begin at the overview: /"))
	})
	p.handler = guarded(compressed(http.NewCrossOriginProtection().Handler(mux)))
	return p
}

// Follow keeps the overview up to date until ctx ends; then the streams end. It is called once. While the store cannot
// be read, it tells warn and tries again.
func (p *Pages) Follow(ctx context.Context, warn func(error)) {
	defer close(p.stopped)
	for {
		if err := p.index.Follow(ctx); err != nil && ctx.Err() == nil {
			warn(err)
		}
		select {
		case <-time.After(followAgain):
		case <-ctx.Done():
			return
		}
	}
}

// followAgain is how long the pages wait until they read the store again that could not be read.
const followAgain = time.Second

// ServeHTTP answers a request for a page, for a file of the pages, or for what a form asks.
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.handler.ServeHTTP(w, r) }

// policy lets a page load nothing but what this server sends, run no script of its text, and stand in no other page.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// guarded tells the browser what no page needs.
func guarded(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "same-origin")
		h.ServeHTTP(w, r)
	})
}

func (a asset) serve(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", a.kind)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(a.content) // the reader went away
}
