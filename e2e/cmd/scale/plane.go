package main

import (
	"context"
	"time"

	"github.com/sluice-cd/sluice/e2e/cluster"
)

// The control plane is idle when it takes less than maxIdle of processor time in an interval.
const (
	interval = time.Second
	maxIdle  = 250 * time.Millisecond
	// longestIdle bounds the wait for that.
	longestIdle = time.Minute
)

// planeTime returns how much processor time the control plane of the fake nodes takes while something works, 0 if there
// is none. Before, it waits until the control plane is idle: controllers write their events long after what they tell.
func planeTime(ctx context.Context, work func() error) (time.Duration, error) {
	before, err := awaitIdle(ctx)
	if err != nil {
		return 0, err
	}
	if err := work(); err != nil {
		return 0, err
	}
	after, err := planeTimeSoFar(ctx)
	return after - before, err
}

// awaitIdle returns the processor time so far.
func awaitIdle(ctx context.Context) (time.Duration, error) {
	over := time.After(longestIdle)
	for {
		before, err := planeTimeSoFar(ctx)
		if err != nil {
			return 0, err
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-over:
			return before, nil
		case <-time.After(interval):
		}
		now, err := planeTimeSoFar(ctx)
		if err != nil || now-before < maxIdle {
			return now, err
		}
	}
}

func planeTimeSoFar(ctx context.Context) (time.Duration, error) {
	clusters, err := cluster.Running(cluster.Options{})
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, c := range clusters {
		parts, err := c.Status(ctx)
		if err != nil {
			return 0, err
		}
		for _, p := range parts {
			sum += p.CPU
		}
	}
	return sum, nil
}
