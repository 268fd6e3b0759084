package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/sluice-cd/sluice"
)

// caughtInStaging deploys a release whose data migration loses orders. Nobody writes meanwhile, so production and
// staging have the same orders except for what the migration did.
func (s *stage) caughtInStaging(ctx context.Context, r *result) error {
	before, err := s.look(ctx, "production")
	if err != nil {
		return err
	}
	d, err := s.run(ctx, "release-2.0-rc1", nil)
	if err != nil {
		return err
	}
	r.Outcome = string(d.Outcome)
	after, err := s.look(ctx, "production")
	if err != nil {
		return err
	}
	staging, err := s.orders(ctx, "staging")
	if err != nil {
		return err
	}
	changed := before.differs(after)
	r.ProductionChanged = new(changed != "")
	r.LostKeysActual = after.orders.Without(staging)
	r.LostKeysReported, err = s.reported(d)
	if err != nil {
		return errors.Join(s.expect(d, sluice.StatusFailed), err)
	}
	say("  sluice names %d lost orders; %d orders of production are not in staging", len(r.LostKeysReported),
		len(r.LostKeysActual))
	switch {
	case changed != "":
		return fmt.Errorf("production was touched: %s", changed)
	case len(r.LostKeysActual) == 0:
		return errors.New("the migration lost nothing, so there was nothing to catch")
	case !slices.Equal(r.LostKeysReported, r.LostKeysActual):
		return errors.New("the lost orders that were named are not those that were lost")
	}
	return s.expect(d, sluice.StatusFailed)
}

// reported reads the lost orders from sluice's verification report.
func (s *stage) reported(d *deployment) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(s.state, "reports", string(d.ID), "*.json"))
	if err != nil {
		return nil, err
	}
	var lost []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var v sluice.Verification
		if err := json.Unmarshal(text, &v); err != nil {
			return nil, fmt.Errorf("read %s: %w", s.relative(file), err)
		}
		for _, c := range v.Comparison.Collections {
			if c.Name != "orders" {
				continue
			}
			for _, key := range c.MissingKeys {
				lost = append(lost, plainKey(key))
			}
		}
	}
	if len(lost) == 0 {
		reports := s.relative(filepath.Join(s.state, "reports", string(d.ID)))
		return nil, fmt.Errorf("no verification in %s names a lost order", reports)
	}
	slices.Sort(lost)
	return lost, nil
}

// plainKey removes the quotes that the engine puts around texts.
func plainKey(key string) string {
	var text string
	if json.Unmarshal([]byte(key), &text) == nil {
		return text
	}
	return key
}
