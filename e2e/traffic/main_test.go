// Package traffic_test proves on real clusters that traffic is divided as asked, that nothing fails meanwhile, and
// that every object is afterwards what it was.
package traffic_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/sluice-cd/sluice/e2e/cluster"
	"github.com/sluice-cd/sluice/e2e/image"
)

const echoImage = "sluice-e2e/echo:1"

var pair *cluster.Pair

func TestMain(m *testing.M) {
	os.Exit(cluster.Main(prepared{m}, func(p *cluster.Pair) { pair = p }))
}

// prepared runs the tests in a cluster that has the image and the definitions they need.
type prepared struct{ m *testing.M }

func (p prepared) Run() int {
	if err := prepare(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "prepare the cluster:", err)
		return 1
	}
	return p.m.Run()
}

func prepare(ctx context.Context) error {
	into, err := os.MkdirTemp("", "traffic-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(into)
	archive, err := image.Build(ctx, image.Source{Dir: "../cmd/echo", Name: echoImage, Into: into})
	if err != nil {
		return err
	}
	if err := pair.Load(ctx, archive); err != nil {
		return err
	}
	if !pair.Owned {
		return nil
	}
	return pair.Cluster01.InstallCRDs(ctx, cluster.GatewayAPI, cluster.Istio, cluster.SMITrafficSplit)
}
