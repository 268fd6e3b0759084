// Command web is the application of the rollout tests, and its users.
//
//	web serve           the application, on port 8080
//	web load URL RATE   sends so many requests a second, and reports on port 8080 how they went
//
// Environment variables configure the application. It answers with VERSION and
// COLOR. ERRORS is the percentage of requests that it answers with status 500,
// LAME the number of seconds that it continues to serve after SIGTERM, which
// every pod of a Service must do.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

const address = ":8080"

func main() {
	if err := run(os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 1 && args[0] == "serve":
		return serve(newApplication(), time.Duration(number("LAME", 3))*time.Second)
	case len(args) == 3 && args[0] == "load":
		rate, err := strconv.Atoi(args[2])
		if err != nil {
			return err
		}
		return serve(newLoad(args[1], rate), 0)
	}
	return errors.New("use: web serve | web load URL RATE")
}

// serve answers until SIGTERM, then for the time lame, then finishes open requests.
func serve(h http.Handler, lame time.Duration) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	server := &http.Server{Addr: address, Handler: h, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	log.Printf("listening on %s", address)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	time.Sleep(lame)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	return server.Shutdown(ctx)
}

// number returns the environment variable, or absent if it is not a number.
func number(name string, absent int) int {
	n, err := strconv.Atoi(os.Getenv(name))
	if err != nil {
		return absent
	}
	return n
}

func text(w http.ResponseWriter, status int, format string, args ...any) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, format, args...) // a client that has gone does not matter
}
