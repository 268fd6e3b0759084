// Command monitor watches pods as Prometheus does, with Prometheus's own scraping, storage and query engine. It
// finds its targets in a file of the file_sd format, which may change at any time, and answers instant and range
// queries in the format of Prometheus's HTTP API.
//
//	monitor --listen 127.0.0.1:9090 --targets targets.json --data metrics
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/tsdb"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:9090", "`host:port` to answer queries on")
	targets := flag.String("targets", "targets.json", "`file` that names the targets, as in file_sd; it may come later")
	data := flag.String("data", "metrics", "`directory` of the samples")
	flag.Parse()
	if err := run(*listen, *targets, *data); err != nil {
		fmt.Fprintln(os.Stderr, "monitor:", err)
		os.Exit(1)
	}
}

func run(listen, targets, data string) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	db, err := tsdb.Open(data, logger, prometheus.NewRegistry(), tsdb.DefaultOptions(), nil)
	if err != nil {
		return fmt.Errorf("open the samples: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()

	scraper, err := newScraper(db, logger)
	if err != nil {
		return err
	}
	defer scraper.Stop()
	failed := make(chan error, 2)
	groups, err := watchTargets(ctx, targets, failed)
	if err != nil {
		return err
	}
	go func() { failed <- scraper.Run(groups) }()

	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: newAPI(db, newEngine(logger)), ReadHeaderTimeout: 10 * time.Second}
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return server.Close()
	}
}

func newEngine(logger *slog.Logger) *promql.Engine {
	return promql.NewEngine(promql.EngineOpts{
		Logger:               logger,
		MaxSamples:           50_000_000,
		Timeout:              10 * time.Second,
		LookbackDelta:        5 * time.Minute,
		EnableAtModifier:     true,
		EnableNegativeOffset: true,
	})
}
