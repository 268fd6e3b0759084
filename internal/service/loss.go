package service

import (
	"context"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/dataset"
)

// A Loss is what putting a checkpoint back would take away.
type Loss = dataset.Loss

// A LossCounter is a step that can count, before it starts, what it would take away.
type LossCounter interface {
	CountLoss(ctx context.Context) (Loss, error)
}

// countPatience bounds the counting of one loss: nobody should wait for it longer before a rollback.
const countPatience = 2 * time.Minute

// Losses returns, by target, what the steps of the plan that put a checkpoint back would take away. What cannot be
// counted says why. Nothing of the targets is changed.
func Losses(ctx context.Context, p *sluice.Plan, steps sluice.Steps) (map[string]Loss, error) {
	all := map[string]Loss{}
	for _, planned := range p.Steps {
		if planned.RestoreData == nil {
			continue
		}
		target, _ := p.Target(planned.Target)
		s, err := steps.New(sluice.StepContext{Deployment: "loss", Plan: p, Target: target, Step: planned})
		if err != nil {
			return nil, err
		}
		counter, ok := s.(LossCounter)
		if !ok {
			all[target.Name] = Loss{Unknown: "it is not put back for real"}
			continue
		}
		if all[target.Name], err = countLoss(ctx, counter); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func countLoss(ctx context.Context, counter LossCounter) (Loss, error) {
	counting, cancel := context.WithTimeout(ctx, countPatience)
	defer cancel()
	loss, err := counter.CountLoss(counting)
	switch {
	case ctx.Err() != nil:
		return loss, ctx.Err()
	case counting.Err() != nil:
		loss.Unknown = "counting took longer than " + countPatience.String()
	case sluice.ErrorCode(err) == sluice.Invalid: // the checkpoint cannot be put back there
		return loss, err
	case err != nil:
		loss.Unknown = err.Error()
	}
	return loss, nil
}
