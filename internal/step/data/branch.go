package data

import (
	"context"

	"github.com/sluice-cd/sluice"
)

// Branch makes a branch of the checkpoint in the step's target, which is not the target that it was taken from. It
// implements [service.Brancher].
func (s *restoreData) Branch(ctx context.Context, b sluice.Branch) (sluice.Branch, error) {
	c, err := s.checkpoint(ctx)
	if err != nil {
		return b, err
	}
	return s.Dataset.Branch(ctx, c, b)
}
