package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/sluice-cd/sluice"
)

// goneBack rolls back a finished release while Prometheus is stopped and customers send orders. Then it rolls back once
// more, together with the data.
func (s *stage) goneBack(ctx context.Context, r *result) error {
	if err := s.unwatch(); err != nil {
		return err
	}
	crowd, err := s.crowd(ctx, "gone")
	if err != nil {
		return err
	}
	began := time.Now()
	d, err := s.rollback(ctx, "rollback-2.3")
	figures := crowd.Stop()
	if err != nil {
		return err
	}
	r.Outcome = string(d.Outcome)
	r.RollbackSeconds = new(seconds(max(figures.Last["2.3"].Sub(began), 0)))
	say("  the last customer of release 2.3 came %.2f s after sluice rollback was typed", *r.RollbackSeconds)
	if err := errors.Join(
		s.account(ctx, r, figures),
		faultless(figures),
		s.expect(d, sluice.StatusSucceeded),
		s.runs(ctx, "production", "shop:2.0", "ferretdb:1.24.2"),
		s.runs(ctx, "staging", "shop:2.2", "ferretdb:1.24.2"), // which failed in production only
	); err != nil {
		return err
	}
	if *r.RollbackSeconds > mostToGoBack {
		return fmt.Errorf("release 2.3 had customers for %.2f s, more than %d s", *r.RollbackSeconds, mostToGoBack)
	}
	return s.goneBackWithData(ctx, r)
}

// mostToGoBack is how many seconds after a rollback customers may still meet the bad release.
const mostToGoBack = 5

// goneBackWithData returns to release 1.0 and to the data that production had before release 2.0.
func (s *stage) goneBackWithData(ctx context.Context, r *result) error {
	checkpoint, err := s.checkpointBefore(ctx, "2.0")
	if err != nil {
		return err
	}
	before, err := s.orders(ctx, "production")
	if err != nil {
		return err
	}
	d, err := s.rollback(ctx, "rollback-2.0", "--data", string(checkpoint.ID))
	if err != nil {
		return err
	}
	after, err := s.orders(ctx, "production")
	if err != nil {
		return err
	}
	r.OrdersAtCheckpoint, r.OrdersRestored = new(ordersIn(checkpoint)), new(len(after))
	say("  %d orders in production, %d of them were there before release 2.0 and are back", len(before), len(after))
	return errors.Join(
		s.expect(d, sluice.StatusSucceeded),
		s.runs(ctx, "production", "shop:1.0", "ferretdb:1.23.1"),
		s.sameOrders(*r.OrdersAtCheckpoint, *r.OrdersRestored, d),
	)
}

func (s *stage) sameOrders(held, restored int, d *deployment) error {
	switch {
	case held != restored:
		return fmt.Errorf("the checkpoint holds %d orders, production %d", held, restored)
	case d.savedAside() == "":
		return errors.New("what was in production was not saved")
	}
	return nil
}

func (s *stage) rollback(ctx context.Context, log string, args ...string) (*deployment, error) {
	d := &deployment{seen: map[sluice.Seq]bool{}, began: time.Now(), log: filepath.Join(s.logs, log+".log")}
	return d, s.follow(ctx, d, nil, append([]string{"rollback", "--yes"}, args...)...)
}

// A checkpoint is an item of sluice data list.
type checkpoint struct {
	ID          sluice.CheckpointID
	Deployment  sluice.DeploymentID
	Step        sluice.StepID
	Target      string
	Fingerprint struct {
		Collections []struct {
			Name  string
			Count int64
		}
	}
}

// checkpointBefore returns production's checkpoint that the deployment of the release took.
func (s *stage) checkpointBefore(ctx context.Context, release string) (checkpoint, error) {
	all, err := list[checkpoint](ctx, s, "data", "list")
	if err != nil {
		return checkpoint{}, err
	}
	for _, c := range all {
		if c.Target == "production" && c.Deployment == s.deployed["release-"+release] && c.Step.Target() == "production" {
			return c, nil
		}
	}
	return checkpoint{}, fmt.Errorf("release %s left no checkpoint of production", release)
}

func ordersIn(c checkpoint) int {
	for _, collection := range c.Fingerprint.Collections {
		if collection.Name == "orders" {
			return int(collection.Count)
		}
	}
	return 0
}
