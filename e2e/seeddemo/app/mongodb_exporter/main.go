// Command mongodb_exporter tells Prometheus about the MongoDB of MONGODB_URI:
// whether it answers, and how many assertions it has counted.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func main() {
	listen := flag.String("web.listen-address", ":9216", "`address` to serve on")
	flag.Bool("collect-all", false, "everything is collected in any case")
	flag.Parse()
	if err := run(*listen, os.Getenv("MONGODB_URI")); err != nil {
		fmt.Fprintln(os.Stderr, "mongodb_exporter:", err)
		os.Exit(1)
	}
}

func run(listen, uri string) error {
	address, err := url.Parse(uri)
	if err != nil {
		return fmt.Errorf("MONGODB_URI is not an address")
	}
	address.User = nil // the database needs no credentials
	client, err := mongo.Connect(options.Client().ApplyURI(address.String()).
		SetDirect(true).SetServerSelectionTimeout(2 * time.Second))
	if err != nil {
		return err
	}
	http.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "see /metrics") })
	http.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) { write(r.Context(), w, client) })
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	server := &http.Server{Addr: listen, ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.ListenAndServe(); ctx.Err() == nil {
		return err
	}
	return nil
}

func write(ctx context.Context, w http.ResponseWriter, client *mongo.Client) {
	var status struct{ Asserts map[string]int64 }
	err := client.Database("admin").RunCommand(ctx, bson.D{{Key: "serverStatus", Value: 1}}).Decode(&status)
	up := 1
	if err != nil {
		up = 0
		fmt.Fprintln(os.Stderr, "mongodb_exporter:", err)
	}
	fmt.Fprintf(w, "# TYPE mongodb_up gauge\nmongodb_up %d\n", up)
	if err != nil {
		return
	}
	fmt.Fprintln(w, "# TYPE mongodb_asserts_total counter")
	for _, kind := range []string{"msg", "regular", "rollovers", "user", "warning"} {
		fmt.Fprintf(w, "mongodb_asserts_total{type=%q} %d\n", kind, status.Asserts[kind])
	}
}
