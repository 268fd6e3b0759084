package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// A program is a package, in the directory of a module, that the go command builds.
type program struct{ name, module, pkg, linker string }

var (
	nodeProgram       = program{"node", "node", ".", " " + nodeVersion}
	dnsProgram        = program{"dns", "dns", ".", ""}
	supervisorProgram = program{"cluster", ".", "./cmd/cluster", ""}
	kwokProgram       = program{"kwok", "kwok", "sigs.k8s.io/kwok/cmd/kwok", ""}
)

// nodeVersion is the version that the API servers report: the one in node/go.mod.
const nodeVersion = "-X k8s.io/component-base/version.gitVersion=v1.34.4 " +
	"-X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=34"

// build brings the binaries up to date; the go command's cache makes that cheap.
func (o Options) build(ctx context.Context, programs ...program) error {
	for _, p := range programs {
		began := time.Now()
		fmt.Fprintf(o.Log, "building %s\n", p.name)
		// Without -trimpath, packages that the product's own build has compiled come from the cache.
		cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-ldflags=-s -w"+p.linker, "-o", o.binary(p.name),
			p.pkg)
		cmd.Dir = filepath.Join(moduleDir(), p.module)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s in %s: %w\n%s", p.name, cmd.Dir, err, out)
		}
		fmt.Fprintf(o.Log, "built %s in %s\n", p.name, time.Since(began).Round(time.Second))
	}
	return o.linkKubectl()
}

// linkKubectl gives people a kubectl of the right version: node becomes the program whose name it is called by.
func (o Options) linkKubectl() error {
	if err := os.Symlink(nodeProgram.name, o.binary("kubectl")); err != nil && !os.IsExist(err) {
		return err
	}
	return nil
}
