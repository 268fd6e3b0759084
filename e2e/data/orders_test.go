package data

import (
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluice-cd/sluice/e2e/world"
)

// orders are the digests of a shop's orders, by key.
type orders map[string][sha256.Size]byte

// orders reads every order from the database of the namespace.
func (h *shop) orders(w *world.World) orders {
	h.Helper()
	address := w.Get("Service", "mongo").Text("spec", "clusterIP")
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://" + address + ":27017").
		SetServerSelectionTimeout(10 * time.Second))
	if err != nil {
		h.Fatal(err)
	}
	defer func() { _ = client.Disconnect(context.Background()) }() // only read
	cursor, err := client.Database("shop").Collection("orders").Find(h.Context(), bson.D{})
	if err != nil {
		h.Fatalf("read the orders of %s: %v", resource(w), err)
	}
	found := orders{}
	for cursor.Next(h.Context()) {
		key, err := cursor.Current.LookupErr("_id")
		if err != nil {
			h.Fatal(err)
		}
		found[key.StringValue()] = sha256.Sum256(cursor.Current)
	}
	if err := cursor.Err(); err != nil {
		h.Fatalf("read the orders of %s: %v", resource(w), err)
	}
	return found
}

// without returns the keys of a that b does not have, sorted.
func (a orders) without(b orders) []string {
	var keys []string
	for key := range a {
		if _, ok := b[key]; !ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// kept counts the orders of a that are the same in b.
func (a orders) kept(b orders) int {
	n := 0
	for key, digest := range a {
		if now, ok := b[key]; ok && now == digest {
			n++
		}
	}
	return n
}

// countOf counts the promised orders that exist.
func (a orders) countOf(promised map[string]time.Time) int {
	n := 0
	for key := range promised {
		if _, ok := a[key]; ok {
			n++
		}
	}
	return n
}
