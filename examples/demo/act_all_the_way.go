package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sluice-cd/sluice"
)

// allTheWay deploys a good release with a new version of the database server, while customers send orders.
func (s *stage) allTheWay(ctx context.Context, r *result) error {
	crowd, err := s.crowd(ctx, "way")
	if err != nil {
		return err
	}
	d, err := s.run(ctx, "release-2.0", nil)
	figures := crowd.Stop()
	if err != nil {
		return err
	}
	r.Outcome = string(d.Outcome)
	s.migration = d.took(sluice.KindMigrateData)
	return errors.Join(
		s.account(ctx, r, figures),
		faultless(figures),
		s.expect(d, sluice.StatusSucceeded),
		s.runs(ctx, "production", "shop:2.0", "ferretdb:1.24.2"),
		s.runs(ctx, "staging", "shop:2.0", "ferretdb:1.24.2"),
	)
}

// runs fails unless the namespace runs exactly these images and all are ready. Pods of the version before may still be
// ending when a release is done.
func (s *stage) runs(ctx context.Context, namespace string, images ...string) error {
	pods, err := s.pods(ctx, namespace)
	if err != nil {
		return err
	}
	missing := map[string]bool{}
	for _, image := range images {
		missing[image] = true
	}
	for _, p := range pods {
		if p.Ending {
			continue
		}
		known := strings.Contains(" "+strings.Join(images, " ")+" ", " "+p.Image+" ")
		if !known && !strings.HasPrefix(p.Owner, "Job/") {
			return fmt.Errorf("%s still runs %s in %s", namespace, p.Image, p.Name)
		}
		if known && p.Ready {
			delete(missing, p.Image)
		}
	}
	for image := range missing {
		return fmt.Errorf("%s does not run %s", namespace, image)
	}
	return nil
}
