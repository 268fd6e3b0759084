package main

import (
	"log/slog"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/config"
	_ "github.com/prometheus/prometheus/discovery/file"
)

var scrapes = regexp.MustCompile("(?s)```yaml\n(scrape_configs:.*?)```")

// discovery asks the API server for pods. Its reader needs Kubernetes's client, so it is not built in here.
const discovery = "kubernetes_sd_configs: [{role: pod}]"

// Prometheus reads the configurations that the document shows.
func TestDocumentedConfigurations(t *testing.T) {
	page, err := os.ReadFile("../../docs/prometheus.md")
	if err != nil {
		t.Fatal(err)
	}
	found := scrapes.FindAllStringSubmatch(string(page), -1)
	if len(found) == 0 {
		t.Error("the document shows none")
	}
	for _, m := range found {
		text := strings.Replace(m[1], discovery, "static_configs: []", 1)
		if _, err := config.Load(text, slog.New(slog.DiscardHandler)); err != nil {
			t.Errorf("%v\nin\n%s", err, m[1])
		}
	}
}
