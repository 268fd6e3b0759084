package seeddemo_test

import (
	"context"
	"os"
	"testing"

	"github.com/sluice-cd/sluice/e2e/cluster"
	"github.com/sluice-cd/sluice/e2e/seeddemo"
)

var pair *cluster.Pair

func TestMain(m *testing.M) {
	os.Exit(cluster.Main(m, func(_ context.Context, p *cluster.Pair) error {
		pair = p
		return nil
	}))
}

// TestWorld tests the surroundings of the demo, then delivers our own and the original in them.
func TestWorld(t *testing.T) {
	w := seeddemo.Setup(t, pair)
	t.Run("receiver", func(t *testing.T) { testReceiver(t, w) })
	t.Run("migrations", func(t *testing.T) { testMigrations(t, w) })
	t.Run("metrics", func(t *testing.T) { testMetrics(t, w) })
	t.Run("delivery", func(t *testing.T) { testDelivery(t, w) })
	t.Run("moved", func(t *testing.T) { testMoved(t, w.With(seeddemo.Moved())) })
	t.Run("original", func(t *testing.T) { testDelivery(t, w.With(seeddemo.Original(t))) })
}
