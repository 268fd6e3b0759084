package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
)

// writeBill lists the modules that are in the program, as CycloneDX. They are read from the program itself.
func writeBill(ctx context.Context, p product, program program, dist string) error {
	out := filepath.Join(dist, p.file(program.platform)+".cdx.json")
	cmd := exec.CommandContext(ctx, "go", "tool", "cyclonedx-gomod", "bin", "-json", "-std", "-noserial", "-notimestamp",
		"-version", p.version, "-output", out, program.path)
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("list the modules of %s: %w: %s", program.path, err, said)
	}
	return nil
}
