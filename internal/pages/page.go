package pages

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"hash/fnv"
	"html/template"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/present"
)

// A page is one kind of page.
type page struct {
	name      string   // of its template, which places the fragments
	title     string   // if what it shows has none
	fragments []string // the templates of the parts that may change, which are also the ids of their elements
	live      bool     // whether there is a stream of changes
	load      func(*visit) (*shown, error)
}

// shown is what a page shows.
type shown struct {
	Title    string
	Data     any
	Kind     string // of the document
	Document any
	Version  int64 // grows with each change: of the index, or the number of the last event
	Over     bool  // nothing will change any more
}

// A visit is one request for a page, or for the changes of one.
type visit struct {
	*Pages
	ctx     context.Context
	request *http.Request
	caller  access.Caller
	store   sluice.Store
	at      time.Time
	refused error // by what was asked for last

	baselines map[sluice.StepID][]sluice.Sample // see before
}

// A When is an instant, seen from the time at which a page is made.
type When struct{ At, now time.Time }

func (v *visit) when(t time.Time) When { return When{t, v.at} }

// MarshalJSON writes the instant.
func (w When) MarshalJSON() ([]byte, error) { return w.At.MarshalJSON() }

// IsZero reports whether there is no instant.
func (w When) IsZero() bool { return w.At.IsZero() }

// ISO is the instant for programs.
func (w When) ISO() string { return w.At.UTC().Format(time.RFC3339) }

// Exact is the instant for people, in UTC.
func (w When) Exact() string { return w.At.UTC().Format("2006-01-02 15:04:05 UTC") }

// Clock is its time of day.
func (w When) Clock() string { return w.At.UTC().Format("15:04:05") }

// Ago is how long ago it was.
func (w When) Ago() string { return ago(w.now.Sub(w.At)) }

// Ahead reports whether it is yet to come.
func (w When) Ahead() bool { return w.At.After(w.now) }

// In is how long it is until then.
func (w When) In() string { return ago(w.At.Sub(w.now)) }

// A Length is how long something took, or has taken until now.
type Length struct {
	From, To time.Time // To is zero if it goes on
	now      time.Time
}

// Text writes the length.
func (l Length) Text() string {
	if l.From.IsZero() {
		return ""
	}
	if l.To.IsZero() {
		return present.Took(l.now.Sub(l.From))
	}
	return present.Took(l.To.Sub(l.From))
}

// ISO is the beginning of what goes on, "" if it has ended.
func (l Length) ISO() string {
	if l.From.IsZero() || !l.To.IsZero() {
		return ""
	}
	return l.From.UTC().Format(time.RFC3339Nano)
}

func (v *visit) took(from, to time.Time) Length { return Length{from, to, v.at} }

// A screen is what templates see.
type screen struct {
	*shown
	Page    page
	Caller  access.Caller
	Path    string
	Refused *problem
	Parts   map[string]template.HTML
	Body    template.HTML
}

// Name is the name of the page.
func (s screen) Name() string { return s.Page.name }

// IsLive reports whether the page has changes to wait for.
func (s screen) IsLive() bool { return s.Page.live && !s.Over }

// Style is the address of the style sheet.
func (screen) Style() string { return style.path }

// Script is the address of the script.
func (screen) Script() string { return script.path }

// Icon is the address of the icon.
func (screen) Icon() string { return icon.path }

// Part returns a part of the page in the element that is replaced when it changes.
func (s screen) Part(id string) template.HTML { return s.Parts[id] }

// Administers reports whether the caller sees the pages about the server.
func (s screen) Administers() bool { return s.Caller.May(access.Administer, "", "") }

// show answers a request for a page: with HTML, a document or a stream, as the request accepts it.
func (p *Pages) show(w http.ResponseWriter, r *http.Request, page page) {
	v, err := p.visit(r)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	w.Header().Set("Vary", "Accept, Cookie")
	w.Header().Set("Cache-Control", "no-store")
	switch accept := r.Header.Get("Accept"); {
	case strings.Contains(accept, "text/event-stream"):
		v.stream(w, page)
		return
	case isJSON(accept):
		v.document(w, page)
		return
	}
	v.html(w, page, http.StatusOK)
}

func isJSON(accept string) bool {
	return strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html")
}

// visit finds out who asks.
func (p *Pages) visit(r *http.Request) (*visit, error) {
	c, err := p.Caller(r)
	if err != nil {
		return nil, err
	}
	if err := p.index.readyBy(r.Context()); err != nil {
		return nil, err
	}
	c.Actor.Via = "page"
	return &visit{
		Pages: p, ctx: r.Context(), request: r, caller: c, store: p.Server.Visible(c), at: p.Now(),
	}, nil
}

func (v *visit) document(w http.ResponseWriter, page page) {
	s, err := page.load(v)
	if err != nil {
		v.fail(w, v.request, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = present.JSON(w, s.Kind, s.Document) // the reader went away
}

// html writes the page, with the status unless the page cannot be loaded.
func (v *visit) html(w http.ResponseWriter, page page, status int) {
	s, err := page.load(v)
	if err != nil {
		v.fail(w, v.request, err)
		return
	}
	if s.Title == "" {
		s.Title = page.title
	}
	view := v.screen(page, s)
	parts, err := v.parts(page, view)
	if err != nil {
		v.fail(w, v.request, err)
		return
	}
	view.Parts = map[string]template.HTML{}
	for _, f := range parts {
		view.Parts[f.ID] = template.HTML(f.element())
	}
	v.write(w, view, status)
}

func (v *visit) screen(page page, s *shown) screen {
	view := screen{
		shown: s, Page: page, Caller: v.caller, Path: v.request.URL.Path,
	}
	if v.refused != nil {
		view.Refused = problemOf(v.refused)
	}
	return view
}

// write sends a whole page.
func (p *Pages) write(w http.ResponseWriter, view screen, status int) {
	var inner, body bytes.Buffer
	if err := templates.ExecuteTemplate(&inner, view.Page.name, view); err != nil {
		http.Error(w, "this page cannot be drawn: "+err.Error(), http.StatusInternalServerError)
		return
	}
	view.Body = template.HTML(inner.String())
	if err := templates.ExecuteTemplate(&body, "layout", view); err != nil {
		http.Error(w, "this page cannot be drawn: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, present.Escape(body.String())) // the reader went away
}

// A fragment is a part of a page as it was rendered last.
type fragment struct {
	ID      string `json:"id"`
	Version string `json:"version"` // of what it says, but for how much time has passed
	HTML    string `json:"html"`    // what a terminal or a browser may act on is not escaped yet
}

// versionOf returns a sum of the fragment without what only the passage of time changes: the text of time elements.
func versionOf(fragment []byte) string {
	h := fnv.New64a()
	for {
		before, after, found := bytes.Cut(fragment, []byte("</time>"))
		if found {
			before = before[:bytes.LastIndexByte(before, '>')+1]
		}
		_, _ = h.Write(before) // never fails
		if fragment = after; !found {
			return fmt.Sprintf("%x", h.Sum64())
		}
	}
}

// parts renders the fragments of a page.
func (v *visit) parts(page page, view screen) ([]fragment, error) {
	list := make([]fragment, len(page.fragments))
	for i, id := range page.fragments {
		var text bytes.Buffer
		if err := templates.ExecuteTemplate(&text, id, view); err != nil {
			return nil, sluice.Errorf(sluice.Internal, "draw %s: %w", id, err)
		}
		list[i] = fragment{id, versionOf(text.Bytes()), text.String()}
	}
	return list, nil
}

// element is the fragment in its element.
func (f fragment) element() string {
	return fmt.Sprintf(`<div id="%s" data-version="%s">%s</div>`, f.ID, f.Version, f.HTML)
}

// compressed lets a handler's answer be compressed, unless it is a stream.
func compressed(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		isStream := strings.Contains(r.Header.Get("Accept"), "text/event-stream")
		if isStream || !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			h.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer z.Close()
		h.ServeHTTP(gzipped{w, z}, r)
	})
}

type gzipped struct {
	http.ResponseWriter
	to *gzip.Writer
}

func (g gzipped) Write(b []byte) (int, error) { return g.to.Write(b) }
