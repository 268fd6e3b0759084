package cluster

import (
	"context"
	_ "embed"
	"fmt"
	"os/exec"
	"strings"
)

//go:embed packages.sh
var packagesScript string

// installPackages installs the Debian packages that the clusters need.
func (o Options) installPackages(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "sh", "-s")
	cmd.Stdin = strings.NewReader(packagesScript)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("install packages: %w\n%s", err, out)
	}
	return nil
}
