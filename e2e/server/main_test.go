// Package server_test tests servers in a real cluster, as the manifests and the chart install them, with people and
// programs who deploy through them to two clusters.
package server_test

import (
	"os"
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

func TestMain(m *testing.M) { os.Exit(world.Main(m, world.Sluice())) }
