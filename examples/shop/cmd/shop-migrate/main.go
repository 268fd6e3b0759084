// Command shop-migrate converts the orders to the format of a release. A Kubernetes Job runs it. It can be repeated
// safely.
package main

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/sluice-cd/sluice/examples/shop"
)

func main() {
	name := flag.String("release", "1.0", "the release whose form the orders shall have")
	flag.Parse()
	if err := run(*name); err != nil {
		slog.Error("the orders are not migrated", "release", *name, "error", err)
		os.Exit(1)
	}
}

func run(name string) error {
	release, err := shop.FindRelease(name)
	if err != nil {
		return err
	}
	if release.Migrate == nil {
		slog.Info("the release keeps the orders as they are", "release", name)
		return nil
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	book, err := shop.OpenBook(os.Getenv("MONGO_URL"))
	if err != nil {
		return err
	}
	defer book.Close(context.WithoutCancel(ctx))
	if err := book.Await(ctx); err != nil {
		return err
	}
	began := time.Now()
	orders, err := release.Migrate(ctx, book)
	if err != nil {
		return err
	}
	slog.Info("the orders are migrated", "release", name, "orders", orders, "took",
		time.Since(began).Round(time.Millisecond))
	return nil
}
