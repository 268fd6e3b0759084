package databasetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/database/mongodb"
)

// MeasureVerification fills a collection on a real server. It returns how long it takes to fingerprint the collection
// and how long a plain cursor takes to read it. Each is the best of two runs.
func MeasureVerification(ctx context.Context, documents int) (verify, cursor time.Duration, err error) {
	dir, err := os.MkdirTemp("", "sluice-verification-")
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	server, err := Start(ctx, "ferretdb-1.24", dir)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	client, err := mongo.Connect(options.Client().ApplyURI(server.URI("")))
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, client.Disconnect(context.WithoutCancel(ctx))) }()
	orders := client.Database("shop").Collection("orders")
	if err := fill(ctx, orders, documents); err != nil {
		return 0, 0, err
	}
	db, err := mongodb.New().Open(ctx, server.URI("shop"), nil)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, db.Close(context.WithoutCancel(ctx))) }()
	for range 2 {
		read, err := timed(func() error { return drain(ctx, orders, documents) })
		if err != nil {
			return 0, 0, err
		}
		printed, err := timed(func() error { return verification(ctx, db, documents) })
		if err != nil {
			return 0, 0, err
		}
		verify, cursor = best(verify, printed), best(cursor, read)
	}
	return verify, cursor, nil
}

func timed(work func() error) (time.Duration, error) {
	begun := time.Now()
	err := work()
	return time.Since(begun), err
}

func best(a, b time.Duration) time.Duration {
	if a == 0 {
		return b
	}
	return min(a, b)
}

// verification reads everything with an invariant of each kind, as a gate does.
func verification(ctx context.Context, db sluice.Database, documents int) error {
	f, err := db.Fingerprint(ctx, []sluice.Invariant{
		{Name: "count", Count: "orders"}, {Name: "sum", Sum: "orders", Field: "total"},
	}, func(sluice.Amount) {})
	if err != nil {
		return err
	}
	if n := f.Collections[0].Count; n != int64(documents) {
		return fmt.Errorf("verification saw %d of %d documents", n, documents)
	}
	return nil
}

func drain(ctx context.Context, orders *mongo.Collection, documents int) error {
	cursor, err := orders.Find(ctx, bson.D{}, options.Find().SetBatchSize(1000))
	if err != nil {
		return err
	}
	n := 0
	for cursor.Next(ctx) {
		n++
	}
	if err := errors.Join(cursor.Err(), cursor.Close(ctx)); err != nil {
		return err
	}
	if n != documents {
		return fmt.Errorf("the cursor saw %d of %d documents", n, documents)
	}
	return nil
}

// fill inserts orders of about 1 KiB in large batches.
func fill(ctx context.Context, orders *mongo.Collection, documents int) error {
	const batch = 2000
	note := strings.Repeat("as the customer wished; ", 37)
	for from := 0; from < documents; from += batch {
		some := make([]bson.D, 0, batch)
		for i := from; i < min(from+batch, documents); i++ {
			some = append(some, bson.D{
				{Key: "_id", Value: fmt.Sprintf("order-%06d", i)},
				{Key: "customer", Value: i % 977},
				{Key: "total", Value: float64(i%1000) / 100},
				{Key: "items", Value: bson.A{bson.D{{Key: "sku", Value: "tea"}, {Key: "quantity", Value: int64(i % 7)}}}},
				{Key: "note", Value: note},
			})
		}
		if _, err := orders.InsertMany(ctx, some, options.InsertMany().SetOrdered(false)); err != nil {
			return err
		}
	}
	return nil
}
