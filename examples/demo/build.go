package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// A program is built from a Go module of its own.
type program struct{ dir, pattern, name string }

// lanes are the programs in the order in which they are built. Lanes are built in parallel, so one compiles while
// another downloads or links. The databases come last, when the store that they share with sluice is compiled.
var lanes = [][]program{
	{
		{".", "./cmd/sluice", "sluice"},
	},
	{
		{"examples/monitor", ".", "monitor"},
		{"examples/shop", "./cmd/...", ""}, // several programs with their own names
		{"examples/ferretdb-1.23", ".", "ferretdb-1.23"},
		{"examples/ferretdb-1.24", ".", "ferretdb-1.24"},
	},
}

// build builds the programs. Go knows which are up to date.
func (s *stage) build(ctx context.Context) error {
	if err := os.MkdirAll(s.bin, 0o700); err != nil {
		return err
	}
	began := time.Now()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	faults := make(chan error, len(lanes))
	for _, lane := range lanes {
		go func() { faults <- s.buildLane(ctx, lane) }()
	}
	var first error
	for range lanes {
		if err := <-faults; err != nil && first == nil {
			first = err
			cancel() // the other lanes need not continue
		}
	}
	say("built everything in %.1f s", time.Since(began).Seconds())
	return first
}

func (s *stage) buildLane(ctx context.Context, lane []program) error {
	for _, p := range lane {
		started := time.Now()
		out := filepath.Join(s.bin, p.name)
		if p.name == "" {
			out += string(filepath.Separator)
		}
		cmd := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-o", out, p.pattern)
		cmd.Dir = filepath.Join(s.root, p.dir)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("build %s: %w", p.dir, err)
		}
		say("built %-24s %6.1f s", p.dir, time.Since(started).Seconds())
	}
	return nil
}
