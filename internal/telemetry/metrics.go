package telemetry

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sluice-cd/sluice"
)

// The upper bounds of histograms, in seconds. A person may take days to approve.
var (
	stepBounds       = []float64{1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600, 7 * 24 * 3600}
	deploymentBounds = []float64{10, 60, 300, 900, 3600, 4 * 3600, 24 * 3600, 7 * 24 * 3600}
)

// outcomes are those of deployments, so that each is counted from 0.
var outcomes = []sluice.Status{
	sluice.StatusSucceeded, sluice.StatusFailed, sluice.StatusRolledBack, sluice.StatusCancelled, sluice.StatusOvertaken,
}

// A Build is the program that is observed.
type Build struct{ Version, Commit, Go string }

// Metrics are those of one server. What deployments do is counted by Follow, calls of the store by Store, and requests
// by Requests. It is safe for concurrent use.
type Metrics struct {
	registry    *prometheus.Registry
	census      *census
	ended       *prometheus.CounterVec
	deployments *prometheus.HistogramVec
	steps       *prometheus.HistogramVec
	failures    *prometheus.CounterVec
	requests    *prometheus.HistogramVec
	streams     prometheus.Gauge
	storeErrors *prometheus.CounterVec
	feed        prometheus.Gauge
}

// NewMetrics returns the metrics of a server that has done nothing yet.
func NewMetrics(b Build, now func() time.Time) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), census: newCensus(now)}
	m.ended = counter("sluice_deployments_ended_total", "Deployments that ended, by outcome", "outcome")
	m.deployments = histogram("sluice_deployment_duration_seconds",
		"From the start of a deployment to its end, by outcome", deploymentBounds, "outcome")
	m.steps = histogram("sluice_step_duration_seconds",
		"From the start of a step until it was done or failed, waiting included, by kind", stepBounds, "kind")
	m.failures = counter("sluice_step_failures_total",
		"Steps that failed, by kind, error code, and what failed: run, undo or finish", "kind", "code", "during")
	m.requests = histogram("sluice_request_duration_seconds",
		"Until a request was answered, or its stream began, by operation and class of status",
		prometheus.DefBuckets, "operation", "status")
	m.streams = gauge("sluice_streams_open", "Readers who follow events or a page")
	m.storeErrors = counter("sluice_store_errors_total",
		"Calls of the store that did not work, by operation and error code", "operation", "code")
	m.feed = gauge("sluice_feed_up", "1 while the events of the store can be followed; otherwise other metrics are old")
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "sluice_build_info", Help: "1, by the version of this program",
	}, []string{"version", "commit", "go"})
	build.WithLabelValues(b.Version, b.Commit, b.Go).Set(1)
	for _, o := range outcomes {
		m.ended.WithLabelValues(string(o))
	}
	m.registry.MustRegister(
		build, m.census, m.ended, m.deployments, m.steps, m.failures, m.requests, m.streams, m.storeErrors, m.feed,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// Handler answers with all metrics, in the format of Prometheus or OpenMetrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
}

func histogram(name, help string, bounds []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: bounds}, labels)
}
