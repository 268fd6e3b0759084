package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/sluice-cd/sluice"
)

// killed deploys a good release and kills sluice in the middle of the migration and again in the canary.
func (s *stage) killed(ctx context.Context, r *result) error {
	crowd, err := s.crowd(ctx, "killed")
	if err != nil {
		return err
	}
	began := time.Now()
	k := &killer{pause: max(s.migration/5, 200*time.Millisecond)}
	d, err := s.run(ctx, "release-2.3", k.watch)
	for err == nil && d.Outcome == "" && k.more() {
		say("  killed; going on with sluice run --resume")
		err = s.resume(ctx, d, k.watch)
	}
	figures := crowd.Stop()
	if err != nil {
		return err
	}
	r.Outcome, r.Kills = string(d.Outcome), new(int(k.kills.Load()))
	return errors.Join(
		s.account(ctx, r, figures),
		faultless(figures),
		s.expect(d, sluice.StatusSucceeded),
		k.judge(),
		s.judgeEffects(ctx, r, d, began),
		s.runs(ctx, "production", "shop:2.3", "ferretdb:1.24.2"),
		s.runs(ctx, "staging", "shop:2.3", "ferretdb:1.24.2"),
	)
}

// A killer kills sluice twice: some time after the start of the migration, and in the first analysis of the canary.
type killer struct {
	pause   time.Duration // how long into the migration
	kills   atomic.Int32
	planned int
	early   bool // the migration was over before the kill
	resumed int
}

func (k *killer) watch(e event, kind sluice.StepKind, kill func()) {
	switch {
	case kind == sluice.KindMigrateData && e.Kind == sluice.StepStarting && k.planned == 0:
		k.plan(k.pause, kill)
	case kind == sluice.KindMigrateData && e.Kind == sluice.StepDone:
		k.early = k.kills.Load() == 0
	case kind == sluice.KindAnalysis && e.Kind == sluice.StepStarting && k.planned == 1:
		k.plan(500*time.Millisecond, kill)
	}
}

func (k *killer) plan(after time.Duration, kill func()) {
	k.planned++
	time.AfterFunc(after, func() {
		k.kills.Add(1)
		kill()
	})
}

// more reports whether sluice may be started once more.
func (k *killer) more() bool {
	k.resumed++
	return k.resumed <= 2
}

func (k *killer) judge() error {
	switch {
	case k.kills.Load() != 2:
		return fmt.Errorf("sluice was killed %d times, not twice", k.kills.Load())
	case k.early:
		return errors.New("the migration was over before sluice was killed")
	}
	return nil
}

// judgeEffects counts effects that happened more than once.
func (s *stage) judgeEffects(ctx context.Context, r *result, d *deployment, began time.Time) error {
	pods, err := s.startedSince(began)
	if err != nil {
		return err
	}
	checkpoints, err := s.checkpoints(ctx, d)
	if err != nil {
		return err
	}
	repeated := pods.repeated()
	for step, n := range checkpoints {
		for ; n > 1; n-- {
			repeated = append(repeated, "a checkpoint of "+string(step))
		}
	}
	r.EffectsRepeated = new(len(repeated))
	if len(repeated) > 0 {
		return fmt.Errorf("done more than once: %q", repeated)
	}
	return nil
}
