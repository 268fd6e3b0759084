// Package storage_test tests on both clusters what the suites expect of their storage: claims of each class, snapshots,
// clones, volumes that are full.
package storage_test

import (
	"context"
	"os"
	"testing"

	"github.com/sluice-cd/sluice/e2e/cluster"
	"github.com/sluice-cd/sluice/e2e/image"
)

const diskImage = "sluice-e2e/disk:1"

var pair *cluster.Pair

func TestMain(m *testing.M) {
	os.Exit(cluster.Main(m, func(ctx context.Context, p *cluster.Pair) error {
		pair = p
		if !p.Owned {
			return nil
		}
		return p.Provide(ctx, image.Source{Dir: "../cmd/disk", Name: diskImage})
	}))
}
