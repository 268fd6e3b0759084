// Command benchtable measures Sluice on this machine and prints one table: each figure with its goal and, where there
// is one, its rival, measured in the same run. `make bench` runs it; a name as argument measures that one only.
//
// To add a measurement, write a function that returns rows in a file of its own and name it in benchmarks.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A benchmark measures something and returns rows. It runs in a process of its own, so that the memory of one is not
// counted as another's.
type benchmark struct {
	name    string
	about   string
	measure func(ctx context.Context) ([]row, error)
}

// benchmarks are all there are, in the order of the table.
var benchmarks = []benchmark{
	{"deployments", "1,000 deployments of 20 steps at once, the log synced to disk", measureDeployments},
	{"reaction", "from a signal to the next step", measureReaction},
	{"resume", "1,000 interrupted deployments taken up again", measureResume},
	{"decide", "one decision about many targets that depend on each other", measureDecide},
	{"servers", "1,000 deployments, or BENCH_DEPLOYMENTS, through three servers and through one", measureServers},
	{"signal", "from a signal at one server to the next event at another one", measureSignals},
	{"watchers", "1,000 watchers of one server", measureWatchers},
	{"overview", "the page of 200 applications with 10,000 deployments", measureOverview},
	{"plan", "a deploy file of 200 targets", measurePlan},
	{"copy", "1 GiB copied and copied again", measureCopy},
	{"verification", "a collection of 20,000 documents verified, or of BENCH_DOCUMENTS", measureVerification},
}

// A row is one line of the table.
type row struct {
	What   string `json:"what"`
	Figure string `json:"figure"`
	Rival  string `json:"rival,omitempty"` // how long others take for the same
	Goal   string `json:"goal,omitempty"`
	Missed bool   `json:"missed,omitempty"` // whether there is a goal and it was not reached
}

// child is the environment variable that makes this process measure one benchmark and print its rows as JSON.
const child = "BENCHTABLE_CHILD"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "benchtable: error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, names []string) error {
	if name := os.Getenv(child); name != "" {
		return measureHere(ctx, name)
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "WHAT\tFIGURE\tRIVAL\tGOAL\t")
	missed := 0
	var failures []error
	for _, b := range benchmarks {
		if len(names) > 0 && !slices.Contains(names, b.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "measuring %s: %s\n", b.name, b.about)
		rows, err := measureInChild(ctx, b.name)
		if err != nil {
			// The other results are still worth seeing.
			failures = append(failures, fmt.Errorf("measure %s: %w", b.name, err))
		}
		for _, r := range rows {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", r.What, r.Figure, cmp.Or(r.Rival, "-"), cmp.Or(r.Goal, "-"),
				verdict(r))
			if r.Missed {
				missed++
			}
		}
	}
	if missed > 0 {
		fmt.Fprintf(os.Stderr, "goals missed: %d; whatever else runs on this machine counts\n", missed)
	}
	return errors.Join(append(failures, table.Flush())...)
}

// measureHere measures one benchmark and prints its rows as JSON.
func measureHere(ctx context.Context, name string) error {
	for _, b := range benchmarks {
		if b.name != name {
			continue
		}
		rows, err := b.measure(ctx)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(rows)
	}
	return fmt.Errorf("there is no benchmark %q", name)
}

// measureInChild runs this program again for one benchmark.
func measureInChild(ctx context.Context, name string) ([]row, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), child+"="+name)
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it stops what it has started
	cmd.WaitDelay = 2 * time.Minute
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var rows []row
	if err := json.Unmarshal(out, &rows); err != nil {
		return nil, fmt.Errorf("read its rows %q: %w", strings.TrimSpace(string(out)), err)
	}
	return rows, nil
}

func verdict(r row) string {
	switch {
	case r.Missed:
		return "missed"
	case r.Goal != "":
		return "met"
	}
	return ""
}
