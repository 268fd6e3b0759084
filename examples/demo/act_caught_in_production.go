package main

import (
	"context"
	"errors"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/examples/shop/load"
)

// caughtInProduction deploys a release that fails under load, and measures how many customers it affected.
func (s *stage) caughtInProduction(ctx context.Context, r *result) error {
	crowd, err := s.crowd(ctx, "caught")
	if err != nil {
		return err
	}
	d, err := s.run(ctx, "release-2.1", nil)
	figures := crowd.Stop()
	if err != nil {
		return err
	}
	r.Outcome = string(d.Outcome)
	faults := errors.Join(
		s.account(ctx, r, figures),
		s.expect(d, sluice.StatusRolledBack, sluice.StatusFailed),
		s.runs(ctx, "production", "shop:2.0", "ferretdb:1.24.2"),
	)
	first, ok := firstFault(figures, "2.1")
	if !ok {
		return errors.Join(faults, errors.New("the bad release never failed a request, so there was nothing to catch"))
	}
	// After the last request to the bad release there was no canary traffic.
	r.RollbackSeconds = new(seconds(max(figures.Last["2.1"].Sub(first.At), 0)))
	say("  the last customer of release 2.1 came %.2f s after its first error", *r.RollbackSeconds)
	return errors.Join(faults, onlyFrom(figures, "2.1"))
}

func firstFault(f load.Figures, release string) (load.Fault, bool) {
	for _, fault := range f.Faults {
		if fault.Release == release {
			return fault, true
		}
	}
	return load.Fault{}, false
}

// onlyFrom fails if a failed request was answered by another release, or by none.
func onlyFrom(f load.Figures, release string) error {
	for _, fault := range f.Faults {
		if fault.Release != release {
			return errors.New("a request failed that release " + release + " did not answer: " + fault.What)
		}
	}
	return nil
}
