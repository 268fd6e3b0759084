package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// An application answers with its version and counts its answers.
type application struct {
	version, color string
	errors         int

	mu      sync.Mutex
	served  int
	answers map[int]int // by status
}

func newApplication() http.Handler {
	a := &application{version: os.Getenv("VERSION"), color: os.Getenv("COLOR"), errors: number("ERRORS", 0),
		answers: map[int]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ready\n") })
	mux.HandleFunc("GET /version", a.answer)
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Second)
		a.answer(w, r)
	})
	mux.HandleFunc("GET /metrics", a.metrics)
	mux.HandleFunc("GET /crash", func(http.ResponseWriter, *http.Request) {
		fmt.Println("asked to crash")
		os.Exit(3)
	})
	return mux
}

func (a *application) answer(w http.ResponseWriter, _ *http.Request) {
	text(w, a.status(), "%s\n", strings.TrimSpace(a.version+" "+a.color))
}

// status spreads the errors evenly over the requests.
func (a *application) status() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	status := http.StatusOK
	if (a.served+1)*a.errors/100 > a.served*a.errors/100 {
		status = http.StatusInternalServerError
	}
	a.served++
	a.answers[status]++
	return status
}

func (a *application) metrics(w http.ResponseWriter, _ *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var b strings.Builder
	b.WriteString("# TYPE http_requests_total counter\n")
	for _, status := range []int{http.StatusOK, http.StatusInternalServerError} {
		fmt.Fprintf(&b, "http_requests_total{code=\"%d\",version=%q} %d\n", status, a.version, a.answers[status])
	}
	text(w, http.StatusOK, "%s", b.String())
}
