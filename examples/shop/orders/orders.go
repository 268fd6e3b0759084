// Package orders reads what a shop has sold from its database, and compares what was read at two times. It imports the
// MongoDB driver and nothing of the shop. Start reading at [Read].
package orders

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Digests are the digests of a shop's orders, by key.
type Digests map[string][sha256.Size]byte

// Read reads every order from the database at the address, host:port.
func Read(ctx context.Context, address string) (_ Digests, err error) {
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://" + address).
		SetServerSelectionTimeout(10 * time.Second))
	if err != nil {
		return nil, fmt.Errorf("read the orders at %s: %w", address, err)
	}
	defer func() { err = errors.Join(err, client.Disconnect(context.WithoutCancel(ctx))) }()
	cursor, err := client.Database("shop").Collection("orders").Find(ctx, bson.D{})
	if err != nil {
		return nil, fmt.Errorf("read the orders at %s: %w", address, err)
	}
	defer func() { err = errors.Join(err, cursor.Close(context.WithoutCancel(ctx))) }()
	found := Digests{}
	for cursor.Next(ctx) {
		key, err := cursor.Current.LookupErr("_id")
		if err != nil {
			return nil, err
		}
		found[key.StringValue()] = sha256.Sum256(cursor.Current)
	}
	return found, cursor.Err()
}

// Without returns the keys of a that b does not have, sorted.
func (a Digests) Without(b Digests) []string {
	var keys []string
	for key := range a {
		if _, ok := b[key]; !ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// Kept counts the orders of a that are the same in b.
func (a Digests) Kept(b Digests) int {
	n := 0
	for key, digest := range a {
		if now, ok := b[key]; ok && now == digest {
			n++
		}
	}
	return n
}

// Equal reports whether both are the same orders.
func (a Digests) Equal(b Digests) bool { return len(a) == len(b) && a.Kept(b) == len(a) }

// CountOf counts the promised orders that exist.
func (a Digests) CountOf(promised map[string]time.Time) int {
	n := 0
	for key := range promised {
		if _, ok := a[key]; ok {
			n++
		}
	}
	return n
}
