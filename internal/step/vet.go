package step

import (
	"context"

	"github.com/sluice-cd/sluice"
)

// Vet finds objects that the account will never take. Everything else may have changed when the step's turn comes.
func (s *apply) Vet(ctx context.Context) error { return hopeless(s.Check(ctx)) }

// Vet finds a Job that the account will never take.
func (s *runJob) Vet(ctx context.Context) error { return hopeless(s.Check(ctx)) }

// hopeless returns what no step before this one can heal: that the account does not carry something out.
func hopeless(_ sluice.Preview, err error) error {
	if sluice.ErrorCode(err) == sluice.Unsupported {
		return err
	}
	return nil
}
