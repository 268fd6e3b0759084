package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-cd/sluice"
)

// Notifications counts what happens to notifications, by kind of receiver.
type Notifications struct {
	sent, failed, skipped *prometheus.CounterVec
}

// Notifications returns the counters. behind is asked at each scrape how many events the slowest receiver of each kind
// is behind, among those that this process reads for; every kind that it returns is counted from 0. It is called once.
func (m *Metrics) Notifications(behind func() map[string]int64) *Notifications {
	n := &Notifications{
		sent: counter("sluice_notifications_sent_total", "Notifications that receivers took, by kind of receiver", "kind"),
		failed: counter("sluice_notification_failures_total",
			"Attempts to send a notification that did not work, by kind of receiver and error code", "kind", "code"),
		skipped: counter("sluice_notifications_skipped_total",
			"Notifications that a receiver refused for good, by kind of receiver", "kind"),
	}
	for kind := range behind() {
		n.sent.WithLabelValues(kind)
		n.skipped.WithLabelValues(kind)
	}
	m.registry.MustRegister(n.sent, n.failed, n.skipped, lag{behind, prometheus.NewDesc("sluice_notification_lag_events",
		"How many events the slowest receiver of the kind is behind, of those that this process reads for",
		[]string{"kind"}, nil)})
	return n
}

// Sent counts a notification that a receiver took.
func (n *Notifications) Sent(kind string) { n.sent.WithLabelValues(kind).Inc() }

// Failed counts an attempt that did not work.
func (n *Notifications) Failed(kind string, code sluice.Code) {
	n.failed.WithLabelValues(kind, string(code)).Inc()
}

// Skipped counts a notification that a receiver refused for good.
func (n *Notifications) Skipped(kind string) { n.skipped.WithLabelValues(kind).Inc() }

// lag asks for the lag whenever it is scraped.
type lag struct {
	behind func() map[string]int64
	desc   *prometheus.Desc
}

// Describe names the metric.
func (l lag) Describe(to chan<- *prometheus.Desc) { to <- l.desc }

// Collect asks.
func (l lag) Collect(to chan<- prometheus.Metric) {
	for kind, n := range l.behind() {
		to <- prometheus.MustNewConstMetric(l.desc, prometheus.GaugeValue, float64(n), kind)
	}
}
