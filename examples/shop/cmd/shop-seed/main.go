// Command shop-seed fills an empty shop with the orders of its first year.
package main

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/sluice-cd/sluice/examples/shop"
)

func main() {
	orders := flag.Int("orders", 20_000, "how many")
	flag.Parse()
	if err := run(*orders); err != nil {
		slog.Error("the shop is not filled", "error", err)
		os.Exit(1)
	}
}

func run(orders int) error {
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
	counter, err := shop.Seed(ctx, book, orders)
	if err != nil {
		return err
	}
	slog.Info("the shop is filled", "orders", orders, "withoutMail", counter)
	return nil
}
