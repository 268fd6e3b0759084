package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// orders are the digests of a shop's documents, by key.
type orders map[string][sha256.Size]byte

// orders reads every order of a namespace's shop directly from its database.
func (s *stage) orders(ctx context.Context, namespace string) (_ orders, err error) {
	address, err := s.address(ctx, namespace, "mongo", 27017)
	if err != nil {
		return nil, err
	}
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://" + address).
		SetServerSelectionTimeout(10 * time.Second))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, client.Disconnect(context.WithoutCancel(ctx))) }()
	cursor, err := client.Database("shop").Collection("orders").Find(ctx, bson.D{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, cursor.Close(context.WithoutCancel(ctx))) }()
	found := orders{}
	for cursor.Next(ctx) {
		key, err := cursor.Current.LookupErr("_id")
		if err != nil {
			return nil, err
		}
		found[key.StringValue()] = sha256.Sum256(cursor.Current)
	}
	return found, cursor.Err()
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

// kept counts the documents of a that are the same in b.
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
