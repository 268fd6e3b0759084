package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/sluice-cd/sluice/examples/shop"
)

// A server answers the shop's requests.
type server struct {
	release string
	book    *shop.Book
	take    shop.Take
	ready   atomic.Bool
}

func newServer(serving context.Context, release shop.Release, book *shop.Book) http.Handler {
	s := &server{release: release.Name, book: book, take: release.Open(serving, book)}
	watch := newWatch(release.Name)
	mux := http.NewServeMux()
	mux.Handle("POST /orders", watch.over("place", s.place))
	mux.Handle("GET /orders/{id}", watch.over("show", s.show))
	mux.HandleFunc("GET /healthz", s.health)
	mux.Handle("GET /metrics", watch.handler())
	return s.signed(mux)
}

// signed names the release in every response.
func (s *server) signed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Release", s.release)
		next.ServeHTTP(w, r)
	})
}

func (s *server) place(w http.ResponseWriter, r *http.Request) {
	var o shop.Order
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&o); err != nil {
		http.Error(w, "the order is not JSON", http.StatusBadRequest)
		return
	}
	if err := o.Validate(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if o.PlacedAt.IsZero() {
		o.PlacedAt = time.Now().UTC().Truncate(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	if err := s.take(ctx, o); err != nil {
		refuse(w, o.ID, err)
		return
	}
	reply(w, http.StatusCreated, o)
}

func (s *server) show(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	o, err := s.book.Get(ctx, r.PathValue("id"))
	if err != nil {
		refuse(w, r.PathValue("id"), err)
		return
	}
	reply(w, http.StatusOK, o)
}

// health reports that the shop is ready after its first contact with the database. It does not ask again later:
// requests wait for a database that does not answer, and otherwise all replicas would become unready together.
func (s *server) health(w http.ResponseWriter, r *http.Request) {
	if s.ready.Load() {
		w.WriteHeader(http.StatusOK)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if err := s.book.Ping(ctx); err != nil {
		http.Error(w, "the database does not answer yet", http.StatusServiceUnavailable)
		return
	}
	s.ready.Store(true)
	w.WriteHeader(http.StatusOK)
}

func reply(w http.ResponseWriter, status int, o shop.Order) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(o); err != nil {
		slog.Info("a client left before its answer was written", "order", o.ID)
	}
}

func refuse(w http.ResponseWriter, id string, err error) {
	switch {
	case errors.Is(err, shop.ErrNotFound):
		http.Error(w, err.Error(), http.StatusNotFound)
	case errors.Is(err, shop.ErrConflict):
		http.Error(w, err.Error(), http.StatusConflict)
	default:
		slog.Error("an order could not be handled", "order", id, "error", err)
		http.Error(w, "the order could not be handled", http.StatusInternalServerError)
	}
}
