// Package stateful_test tests workloads with state, objects other than workloads, and steps that run in the cluster, on
// real clusters: upgrades pod by pod, rollbacks from broken versions, sluice killed, the API server away, somebody else
// writing, quotas, rights.
package stateful_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/sluice-cd/sluice/e2e/image"
	"github.com/sluice-cd/sluice/e2e/world"
)

// storeImage is the program of e2e/cmd/store.
const storeImage = "sluice-e2e/store:1"

// atOnce is how many tests run at a time. Most of the time they wait for pods.
const atOnce = "12"

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", atOnce); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(world.Main(m, image.Source{Dir: "../cmd/store", Name: storeImage}))
}
