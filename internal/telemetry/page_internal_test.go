package telemetry

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// TestPageListsMetrics compares the table of docs/server.md with what is registered.
func TestPageListsMetrics(t *testing.T) {
	page, err := os.ReadFile("../../docs/server.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]string{}
	row := regexp.MustCompile("(?m)^\\| `(sluice_\\w+)` \\| (\\w+) \\| ([^|]*)\\|")
	for _, m := range row.FindAllStringSubmatch(string(page), -1) {
		listed[m[1]] = m[2] + " " + strings.ReplaceAll(strings.TrimSpace(m[3]), "`", "")
	}
	if diff := cmp.Diff(registered(t), listed); diff != "" {
		t.Errorf("docs/server.md and the metrics differ (-metrics +page):\n%s", diff)
	}
}

// registered returns the type and the labels of the metrics of Sluice.
func registered(t *testing.T) map[string]string {
	m := NewMetrics(Build{}, time.Now)
	m.Notifications(func() map[string]int64 { return map[string]int64{"": 0} }).Failed("", "")
	descs := make(chan *prometheus.Desc)
	go func() { m.registry.Describe(descs); close(descs) }()
	found := map[string]string{}
	shape := regexp.MustCompile(`fqName: "(sluice_\w+)".*variableLabels: \{([^}]*)\}`)
	for d := range descs {
		if s := shape.FindStringSubmatch(d.String()); s != nil {
			found[s[1]] = strings.ReplaceAll(s[2], ",", " ")
		}
	}
	m.deployments.WithLabelValues("")
	m.steps.WithLabelValues("")
	m.failures.WithLabelValues("", "", "")
	m.requests.WithLabelValues("", "")
	m.storeErrors.WithLabelValues("", "")
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	types := map[dto.MetricType]string{
		dto.MetricType_COUNTER: "counter", dto.MetricType_GAUGE: "gauge", dto.MetricType_HISTOGRAM: "histogram",
	}
	for _, f := range families {
		if labels, ours := found[f.GetName()]; ours {
			found[f.GetName()] = types[f.GetType()] + " " + labels
		}
	}
	return found
}
