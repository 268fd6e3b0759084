package shop

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"
)

// The errors of a Book.
var (
	ErrNotFound = errors.New("there is no such order")
	ErrConflict = errors.New("another order has this id")
)

// collection is the name of the collection with the orders.
const collection = "orders"

// A Book stores the orders. While the database does not answer it tries again until the caller's context ends. So a
// restart of the database delays a request but does not fail it.
type Book struct{ Orders *mongo.Collection }

// OpenBook connects to the database that the URL names.
func OpenBook(url string) (*Book, error) {
	parsed, err := connstring.ParseAndValidate(url)
	if err != nil {
		return nil, fmt.Errorf("read the database's URL: %w", err)
	}
	client, err := mongo.Connect(options.Client().ApplyURI(url).
		SetServerSelectionTimeout(time.Second).
		SetConnectTimeout(time.Second).
		SetHeartbeatInterval(500 * time.Millisecond).
		SetServerMonitoringMode(options.ServerMonitoringModePoll).
		SetRetryWrites(false).
		SetRetryReads(false))
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	return &Book{Orders: client.Database(parsed.Database).Collection(collection)}, nil
}

// Close ends the connections.
func (b *Book) Close(ctx context.Context) error { return b.Orders.Database().Client().Disconnect(ctx) }

// Ping reports whether the database answers.
func (b *Book) Ping(ctx context.Context) error { return b.Orders.Database().Client().Ping(ctx, nil) }

// startsWithin bounds the wait for a database that has just started: nodes learn of it a moment after it is ready.
const startsWithin = 2 * time.Minute

// Await returns when the database answers, or an error if it does not within two minutes.
func (b *Book) Await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startsWithin)
	defer cancel()
	return b.patiently(ctx, b.Ping)
}

// Put writes the order once, however often it is called. If another purchase has the same id, it returns ErrConflict.
func (b *Book) Put(ctx context.Context, o Order) error {
	err := b.patiently(ctx, func(ctx context.Context) error {
		_, err := b.Orders.InsertOne(ctx, o)
		return err
	})
	if !mongo.IsDuplicateKeyError(err) {
		return err
	}
	// An earlier try may have succeeded although its answer was lost.
	written, err := b.Get(ctx, o.ID)
	if err != nil {
		return err
	}
	if !written.SameAs(o) {
		return ErrConflict
	}
	return nil
}

// Get returns the order, or ErrNotFound.
func (b *Book) Get(ctx context.Context, id string) (Order, error) {
	var o Order
	err := b.patiently(ctx, func(ctx context.Context) error {
		return b.Orders.FindOne(ctx, bson.D{{Key: "_id", Value: id}}).Decode(&o)
	})
	if errors.Is(err, mongo.ErrNoDocuments) {
		return Order{}, ErrNotFound
	}
	return o, err
}

// tryFor bounds one try, so that another one can follow if the server has gone.
const tryFor = 5 * time.Second

// patiently calls do until it succeeds, fails permanently, or ctx ends.
func (b *Book) patiently(ctx context.Context, do func(context.Context) error) error {
	for {
		try, cancel := context.WithTimeout(ctx, tryFor)
		err := do(try)
		cancel()
		if err == nil || ctx.Err() != nil || !heals(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// heals reports whether the error means only that the database does not answer or is busy.
func heals(err error) bool {
	if errors.Is(err, mongo.ErrNoDocuments) || mongo.IsDuplicateKeyError(err) {
		return false
	}
	if mongo.IsNetworkError(err) || mongo.IsTimeout(err) {
		return true
	}
	var refused mongo.ServerError
	return !errors.As(err, &refused)
}
