// Command shop serves orders over HTTP.
//
// It listens on $POD_IP:8080 and stores the orders in the database that $MONGO_URL names. When it is stopped, it
// finishes the open requests.
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

	"github.com/sluice-cd/sluice/examples/shop"
)

// patience is how long a request waits for a database that does not answer.
const patience = 20 * time.Second

func main() {
	name := flag.String("release", "1.0", "which release of the shop to be")
	port := flag.String("port", "8080", "the port to listen on")
	flag.Parse()
	if err := run(*name, net.JoinHostPort(os.Getenv("POD_IP"), *port)); err != nil {
		slog.Error("the shop ends", "error", err)
		os.Exit(1)
	}
}

func run(name, address string) error {
	release, err := shop.FindRelease(name)
	if err != nil {
		return err
	}
	book, err := shop.OpenBook(os.Getenv("MONGO_URL"))
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("open the shop: %w", err)
	}
	slog.Info("the shop is open", "release", release.Name, "address", address)

	serving, close := context.WithCancel(context.Background())
	defer close()
	server := &http.Server{
		Handler:           newServer(serving, release, book),
		ReadHeaderTimeout: 10 * time.Second,
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	return drain(server, book)
}

// drain waits for the open requests.
func drain(server *http.Server, book *shop.Book) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience+5*time.Second)
	defer cancel()
	slog.Info("the shop closes")
	return errors.Join(server.Shutdown(ctx), book.Close(ctx))
}
