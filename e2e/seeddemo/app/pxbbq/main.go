// Command pxbbq is the shop: GET / shows how many orders there are, GET /orders
// lists them, POST /orders takes one. Its orders are in porxbbq.orders.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "pxbbq:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	// The users in the manifest do not matter: the database needs no credentials.
	uri := "mongodb://" + net.JoinHostPort(os.Getenv("MONGO_NODES"), os.Getenv("MONGO_PORT"))
	client, err := mongo.Connect(options.Client().ApplyURI(uri).SetDirect(true).
		SetTimeout(5 * time.Second).SetServerSelectionTimeout(5 * time.Second))
	if err != nil {
		return err
	}
	orders := client.Database("porxbbq").Collection("orders")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}",
		answer(func(r *http.Request) (any, error) { return orders.CountDocuments(r.Context(), bson.D{}) }))
	mux.HandleFunc("GET /orders", answer(func(r *http.Request) (any, error) { return list(r.Context(), orders) }))
	mux.HandleFunc("POST /orders", answer(func(r *http.Request) (any, error) {
		order := bson.M{}
		if err := json.NewDecoder(r.Body).Decode(&order); err != nil {
			return nil, err
		}
		_, err := orders.InsertOne(r.Context(), order)
		return "taken", err
	}))
	server := &http.Server{Addr: ":8080", Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() {
		bounded, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = server.Shutdown(bounded)
	})
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func list(ctx context.Context, orders *mongo.Collection) ([]bson.M, error) {
	cursor, err := orders.Find(ctx, bson.D{}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
	if err != nil {
		return nil, err
	}
	all := []bson.M{}
	return all, cursor.All(ctx, &all)
}

func answer(do func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		value, err := do(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		// A client that has gone does not matter.
		_ = json.NewEncoder(w).Encode(value)
	}
}
