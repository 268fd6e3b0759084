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
)

// A Measurement is how long a plain cursor takes to read a collection, and how long it takes each opener's database to
// fingerprint it, in the order given. Each is the best of two runs.
type Measurement struct {
	Cursor time.Duration
	Verify []time.Duration
}

// MeasureVerification fills a collection on a real server and measures.
func MeasureVerification(ctx context.Context, documents int, by ...sluice.Databases) (m Measurement, err error) {
	dir, err := os.MkdirTemp("", "sluice-verification-")
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	server, err := Start(ctx, "ferretdb-1.24", dir)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	client, err := mongo.Connect(options.Client().ApplyURI(server.URI("")))
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, client.Disconnect(context.WithoutCancel(ctx))) }()
	orders := client.Database("shop").Collection("orders")
	if err := fill(ctx, orders, documents); err != nil {
		return m, err
	}
	m.Verify = make([]time.Duration, len(by))
	for range 2 {
		read, err := timed(func() error { return drain(ctx, orders, documents) })
		if err != nil {
			return m, err
		}
		m.Cursor = best(m.Cursor, read)
		for i, databases := range by {
			printed, err := verification(ctx, databases, server.URI("shop"), documents)
			if err != nil {
				return m, err
			}
			m.Verify[i] = best(m.Verify[i], printed)
		}
	}
	return m, nil
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
func verification(ctx context.Context, databases sluice.Databases, uri string, documents int) (
	took time.Duration, err error) {
	db, err := databases.Open(ctx, uri, nil)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close(context.WithoutCancel(ctx))) }()
	return timed(func() error {
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
	})
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
