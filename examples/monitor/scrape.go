package main

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/storage"
)

// job names the only scrape configuration.
const job = "pods"

// scraping is Prometheus's own configuration. The interval is short, so that the demo sees changes at once.
const scraping = `
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
  - job_name: ` + job + `
`

func newScraper(samples storage.Appendable, logger *slog.Logger) (*scrape.Manager, error) {
	options := &scrape.Options{DiscoveryReloadInterval: model.Duration(100 * time.Millisecond)}
	manager, err := scrape.NewManager(options, logger, nil, samples, prometheus.NewRegistry())
	if err != nil {
		return nil, err
	}
	parsed, err := config.Load(scraping, logger)
	if err != nil {
		return nil, fmt.Errorf("read the scrape configuration: %w", err)
	}
	return manager, manager.ApplyConfig(parsed)
}
