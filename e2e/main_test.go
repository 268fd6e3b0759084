package e2e_test

import (
	"context"
	"os"
	"testing"

	"github.com/sluice-cd/sluice/e2e/cluster"
)

// pair is the two empty clusters that every test of this package uses.
// A test works in namespaces of its own.
var pair *cluster.Pair

func TestMain(m *testing.M) {
	os.Exit(cluster.Main(m, func(_ context.Context, p *cluster.Pair) error {
		pair = p
		return nil
	}))
}
