package csi_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/kubernetes-csi/csi-test/v5/pkg/sanity"
	"golang.org/x/sys/unix"

	"github.com/sluice-cd/sluice/e2e/csi"
)

// TestDriverKeepsTheRulesOfCSI runs the tests that the authors of CSI have for every driver.
func TestDriverKeepsTheRulesOfCSI(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can mount volumes")
	}
	dir := t.TempDir()
	socket := filepath.Join(dir, "csi.sock")
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- csi.Run(ctx, "node", csi.Paths{Dir: dir, Socket: socket}) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := unix.Unmount(filepath.Join(dir, "pool"), 0); err != nil {
			t.Error(err)
		}
	}()
	config := sanity.NewTestConfig()
	config.Address = "unix:" + socket
	config.TargetPath, config.StagingPath = filepath.Join(dir, "target"), filepath.Join(dir, "staging")
	config.TestVolumeSize = 16 << 20
	config.IdempotentCount = 2
	sanity.Test(t, config)
}
