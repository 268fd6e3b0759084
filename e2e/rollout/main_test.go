// Package rollout_test proves on a real cluster how workloads without state change their version: with users who send
// requests all the while, with Prometheus, and with sluice as a process that can be killed.
package rollout_test

import (
	"os"
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

func TestMain(m *testing.M) { os.Exit(world.Main(prepared{m})) }
