// Command suites tests the packages of this module one after the other with
// gotestsum, whose path and further arguments of go test it is given. A package
// that failed runs again, at most twice, but only if a program of the clusters
// ended by itself meanwhile: a failure of our own is never hidden. How often
// that happened is printed last.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/sluice-cd/sluice/e2e/cluster"
)

// repeats is how often failed packages run again at most.
const repeats = 2

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: suites GOTESTSUM [ARGUMENT OF GO TEST]...")
		os.Exit(2)
	}
	if err := run(ctx, os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "suites:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, gotestsum string, args []string) error {
	packages, repeated, err := []string{"./..."}, 0, error(nil)
	for ; ; repeated++ {
		var before, after crashes
		if before, err = count(ctx); err != nil {
			return err
		}
		var failed []string
		if failed, err = test(ctx, gotestsum, args, packages); err == nil || len(failed) == 0 || repeated == repeats {
			break
		}
		if after, err = count(ctx); err != nil {
			return err
		}
		new := after.since(before)
		if len(new) == 0 {
			err = errors.New("tests failed; no program of the clusters ended by itself, so nothing runs again")
			break
		}
		fmt.Printf("\nprograms of the clusters ended by themselves: %v; these packages run again: %v\n", new, failed)
		packages = failed
	}
	fmt.Printf("suites that ran again because a program of the clusters ended: %d\n", repeated)
	return err
}

// crashes counts how often each program of the clusters ended by itself.
type crashes map[string]int

// count finds no programs in clusters that are not ours.
func count(ctx context.Context) (crashes, error) {
	clusters, err := cluster.Running(cluster.Options{})
	if err != nil {
		return nil, err
	}
	all := crashes{}
	for _, c := range clusters {
		parts, err := c.Status(ctx)
		if err != nil {
			return nil, err
		}
		for _, p := range parts {
			all[c.Name+"/"+p.Name] = p.Restarts
		}
	}
	return all, nil
}

// since names the programs that ended more often than before.
func (c crashes) since(before crashes) []string {
	var more []string
	for name, n := range c {
		if n > before[name] {
			more = append(more, name)
		}
	}
	slices.Sort(more)
	return more
}

// test runs the tests of the packages, and returns the packages that failed.
func test(ctx context.Context, gotestsum string, args, packages []string) ([]string, error) {
	dir, err := os.MkdirTemp("", "suites")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	events := filepath.Join(dir, "events.json")
	all := append([]string{"--format=standard-quiet", "--jsonfile-timing-events=" + events, "--"}, args...)
	cmd := exec.CommandContext(ctx, gotestsum, append(all, packages...)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err = cmd.Run(); err == nil {
		return nil, nil
	}
	failed, readErr := failures(events)
	return failed, errors.Join(err, readErr)
}

// failures reads which packages failed from the events of go test.
func failures(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var failed []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var e struct{ Action, Package, Test string }
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, err
		}
		if e.Action == "fail" && e.Test == "" {
			failed = append(failed, e.Package)
		}
	}
	return failed, lines.Err()
}
