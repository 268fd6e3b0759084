// Package traffic_test tests on real clusters that traffic is divided as requested, that no request fails meanwhile,
// and that every object is the same afterwards.
package traffic_test

import (
	"context"
	"os"
	"testing"

	"github.com/sluice-cd/sluice/e2e/cluster"
	"github.com/sluice-cd/sluice/e2e/image"
)

const echoImage = "sluice-e2e/echo:1"

var pair *cluster.Pair

func TestMain(m *testing.M) {
	os.Exit(cluster.Main(m, func(ctx context.Context, p *cluster.Pair) error {
		pair = p
		if err := pair.Provide(ctx, image.Source{Dir: "../cmd/echo", Name: echoImage}); err != nil || !pair.Owned {
			return err
		}
		return pair.Cluster01.InstallCRDs(ctx, cluster.GatewayAPI, cluster.Istio, cluster.SMITrafficSplit)
	}))
}
