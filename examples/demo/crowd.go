package main

import (
	"context"
	"fmt"
	"time"

	"github.com/sluice-cd/sluice/examples/shop/load"
)

// rate is how many requests a second the shop gets under load.
const rate = 50

// crowd sends customers to production's shop.
func (s *stage) crowd(ctx context.Context, prefix string) (*load.Generator, error) {
	return s.crowdOf(ctx, prefix, rate)
}

// crowdOf sends that many a second.
func (s *stage) crowdOf(ctx context.Context, prefix string, rate int) (*load.Generator, error) {
	address, err := s.address(ctx, "production", "shop", 8080)
	if err != nil {
		return nil, err
	}
	g := &load.Generator{URL: "http://" + address, Rate: rate, Prefix: prefix}
	g.Start()
	return g, nil
}

// account records what a crowd has seen and compares the confirmed orders with the database.
func (s *stage) account(ctx context.Context, r *result, f load.Figures) error {
	now, err := s.orders(ctx, "production")
	if err != nil {
		return err
	}
	r.RequestsTotal, r.RequestsFailed = new(f.Total), new(f.Failed)
	r.SlowestAnswerSeconds = new(seconds(f.Slowest))
	r.OrdersPromised, r.OrdersFound = new(len(f.Promised)), new(now.CountOf(f.Promised))
	say("  %d requests, %d failed, the slowest answer took %s; %d orders promised, %d found",
		f.Total, f.Failed, f.Slowest.Round(time.Millisecond), *r.OrdersPromised, *r.OrdersFound)
	switch {
	case len(f.Promised) == 0:
		return fmt.Errorf("no order was taken")
	case *r.OrdersFound != *r.OrdersPromised:
		return fmt.Errorf("%d promised orders are not there", *r.OrdersPromised-*r.OrdersFound)
	}
	return nil
}

// faultless fails if any request failed.
func faultless(f load.Figures) error {
	if f.Failed == 0 {
		return nil
	}
	first := f.Faults[0]
	return fmt.Errorf("%d requests failed, the first at %s: %s", f.Failed, first.At.Format(time.TimeOnly), first.What)
}
