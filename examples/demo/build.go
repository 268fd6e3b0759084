package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// modules are what the demo needs, each a Go module of its own.
var modules = []struct{ dir, pattern, program string }{
	{".", "./cmd/sluice", "sluice"},
	{"examples/ferretdb-1.23", ".", "ferretdb-1.23"},
	{"examples/ferretdb-1.24", ".", "ferretdb-1.24"},
	{"examples/monitor", ".", "monitor"},
	{"examples/shop", "./cmd/...", ""}, // several programs, by their own names
}

// build makes the programs. Go knows what is up to date.
func (s *stage) build(ctx context.Context) error {
	if err := os.MkdirAll(s.bin, 0o700); err != nil {
		return err
	}
	began := time.Now()
	for _, m := range modules {
		started := time.Now()
		out := filepath.Join(s.bin, m.program)
		if m.program == "" {
			out += string(filepath.Separator)
		}
		cmd := exec.CommandContext(ctx, "go", "build", "-o", out, m.pattern)
		cmd.Dir = filepath.Join(s.root, m.dir)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("build %s: %w", m.dir, err)
		}
		say("built %-24s %6.1f s", m.dir, time.Since(started).Seconds())
	}
	say("built everything in %.1f s", time.Since(began).Seconds())
	return nil
}
