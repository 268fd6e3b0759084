// Package rollout_test tests on a real cluster how stateless workloads change their version, with users who send
// requests all the time, with Prometheus, and with sluice as a process that can be killed.
package rollout_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/sluice-cd/sluice/e2e/cluster"
	"github.com/sluice-cd/sluice/e2e/world"
)

func TestMain(m *testing.M) { os.Exit(world.Main(prepared{m}, world.Sluice())) }

// prepared runs the tests after it installed the definitions that they need.
type prepared struct{ m *testing.M }

func (p prepared) Run() int {
	// They wait most of the time.
	if err := flag.Set("test.parallel", "5"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if world.Pair().Owned {
		if err := world.Pair().Cluster01.InstallCRDs(context.Background(), cluster.GatewayAPI); err != nil {
			fmt.Fprintln(os.Stderr, "prepare the tests:", err)
			return 1
		}
	}
	return p.m.Run()
}
