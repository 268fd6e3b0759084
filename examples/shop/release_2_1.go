package shop

import (
	"context"
	"errors"
	"time"
)

// release21 reserves stock before it takes an order. It passes every test that sends a handful of orders.
var release21 = Release{
	Name: "2.1",
	Open: func(ctx context.Context, b *Book) Take {
		take := openWithCustomers(ctx, b)
		shelf := newShelf(8)
		return func(ctx context.Context, o Order) error {
			if err := shelf.reserve(ctx); err != nil {
				return err
			}
			if o.Quantity == 1 {
				return take(ctx, o) // the fault: the place on the shelf is never given back
			}
			defer shelf.release()
			return take(ctx, o)
		}
	},
}

// A shelf holds a bounded number of reservations at a time.
type shelf struct{ places chan struct{} }

func newShelf(size int) *shelf { return &shelf{places: make(chan struct{}, size)} }

func (s *shelf) reserve(ctx context.Context) error {
	select {
	case s.places <- struct{}{}:
		return nil
	case <-time.After(100 * time.Millisecond):
		return errors.New("no place on the shelf is free")
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *shelf) release() { <-s.places }
