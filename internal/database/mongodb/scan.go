package mongodb

import (
	"context"
	"runtime"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"golang.org/x/sync/errgroup"
)

const (
	chunkBytes = 256 << 10 // the size of a chunk, unless one document is larger
	batchBytes = 4 << 20   // the size of a batch, judged by the documents seen so far
	maxReaders = 8
)

// A chunk is some documents of one collection, one after the other.
type chunk struct {
	collection int
	data       []byte
	ends       []int
}

// each visits the documents.
func (c *chunk) each(visit func(document []byte) error) error {
	start := 0
	for _, end := range c.ends {
		if err := visit(c.data[start:end:end]); err != nil {
			return err
		}
		start = end
	}
	return nil
}

// workers is how many goroutines visit documents beside the readers.
func workers() int { return min(8, runtime.GOMAXPROCS(0)) }

// scan reads several parts at a time. One of the workers, which are numbered from 0, visits each chunk. Memory is
// bounded by the chunks in flight and one batch per reader. The first error ends the scan.
func (d *database) scan(ctx context.Context, parts []part, visit func(worker int, c *chunk) error) error {
	group, ctx := errgroup.WithContext(ctx)
	full := make(chan *chunk, workers())
	free := make(chan *chunk, maxReaders+2*workers())
	readers, ctx := errgroup.WithContext(ctx)
	readers.SetLimit(min(maxReaders, 2*runtime.GOMAXPROCS(0)))
	group.Go(func() error {
		defer close(full)
		for _, p := range parts {
			readers.Go(func() error { return d.read(ctx, p, full, free) })
		}
		return readers.Wait()
	})
	for worker := range workers() {
		group.Go(func() error {
			for c := range full {
				if err := visit(worker, c); err != nil {
					return err
				}
				recycle(free, c)
			}
			return nil
		})
	}
	return group.Wait()
}

// read sends one part's documents in chunks. It copies them, because the driver may reuse a batch's memory.
func (d *database) read(ctx context.Context, p part, full chan<- *chunk, free chan *chunk) error {
	cursor, err := d.open(ctx, p)
	if err != nil {
		return d.wrap(ctx, "read "+p.collection, err)
	}
	defer func() { _ = cursor.Close(context.WithoutCancel(ctx)) }()
	c := take(free, p.index)
	var bytes, documents int
	for cursor.Next(ctx) {
		c.data = append(c.data, cursor.Current...)
		c.ends = append(c.ends, len(c.data))
		bytes, documents = bytes+len(cursor.Current), documents+1
		if cursor.RemainingBatchLength() == 0 {
			cursor.SetBatchSize(int32(max(16, min(5000, batchBytes*documents/bytes))))
		}
		if len(c.data) < chunkBytes {
			continue
		}
		if err := send(ctx, full, c); err != nil {
			return d.wrap(ctx, "read "+p.collection, err)
		}
		c = take(free, p.index)
	}
	if err := cursor.Err(); err != nil {
		return d.wrap(ctx, "read "+p.collection, err)
	}
	return d.wrap(ctx, "read "+p.collection, send(ctx, full, c))
}

func (d *database) open(ctx context.Context, p part) (*mongo.Cursor, error) {
	find := options.Find().SetBatchSize(500)
	if p.bounded() {
		find.SetHint(bson.D{{Key: "_id", Value: 1}})
	}
	if p.min != nil {
		find.SetMin(bson.D{{Key: "_id", Value: *p.min}})
	}
	if p.max != nil {
		find.SetMax(bson.D{{Key: "_id", Value: *p.max}})
	}
	return d.db.Collection(p.collection).Find(ctx, bson.D{}, find)
}

func take(free <-chan *chunk, collection int) *chunk {
	select {
	case c := <-free:
		c.collection, c.data, c.ends = collection, c.data[:0], c.ends[:0]
		return c
	default:
		return &chunk{collection: collection}
	}
}

// recycle keeps a chunk for reuse, unless a huge document has enlarged it.
func recycle(free chan<- *chunk, c *chunk) {
	if cap(c.data) > 4*chunkBytes {
		return
	}
	select {
	case free <- c:
	default:
	}
}

func send(ctx context.Context, full chan<- *chunk, c *chunk) error {
	select {
	case full <- c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
