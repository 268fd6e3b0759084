package main

import (
	"context"
	"fmt"
	"time"

	"github.com/sluice-cd/sluice/internal/plantest"
)

// largeGoal is how long a deploy file of largeTargets targets may take to be read, checked and planned.
const (
	largeTargets = 200
	largeGoal    = 100 * time.Millisecond
)

func measurePlan(context.Context) ([]row, error) {
	took, err := plantest.MeasureLarge(largeTargets)
	if err != nil {
		return nil, err
	}
	return []row{{
		What:   fmt.Sprintf("read, check and plan %d targets", largeTargets),
		Figure: took.Round(time.Millisecond).String(), Goal: "under " + largeGoal.String(), Missed: took >= largeGoal,
	}}, nil
}
