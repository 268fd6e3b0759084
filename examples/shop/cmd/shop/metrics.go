package main

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// A watch counts and times requests for Prometheus.
type watch struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

func newWatch(release string) *watch {
	who := prometheus.Labels{"release": release}
	w := &watch{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "shop_requests_total", Help: "Requests answered.", ConstLabels: who,
		}, []string{"handler", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "shop_request_seconds", Help: "How long an answer took.", ConstLabels: who,
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"handler"}),
	}
	w.registry.MustRegister(w.requests, w.seconds)
	// A counter that first appears with its first error would hide that error from rate().
	for handler, codes := range map[string][]string{"place": {"201", "500"}, "show": {"200", "404", "500"}} {
		for _, code := range codes {
			w.requests.WithLabelValues(handler, code)
		}
	}
	return w
}

func (w *watch) handler() http.Handler {
	return promhttp.HandlerFor(w.registry, promhttp.HandlerOpts{})
}

// over measures a handler.
func (w *watch) over(handler string, next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		began := time.Now()
		noted := &notedWriter{ResponseWriter: rw, status: http.StatusOK}
		next(noted, r)
		w.requests.WithLabelValues(handler, strconv.Itoa(noted.status)).Inc()
		w.seconds.WithLabelValues(handler).Observe(time.Since(began).Seconds())
	})
}

// A notedWriter remembers the written status.
type notedWriter struct {
	http.ResponseWriter
	status int
}

func (w *notedWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}
