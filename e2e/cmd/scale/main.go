// Scale measures Sluice on a control plane with fake nodes. It runs many canaries of three steps at once, each with one
// pod that is ready at once, and compares them with a plain update of as many Deployments. For each size it prints the
// time, the writes of a release as the API server recorded them, including dry runs, and the processor time and memory
// of Sluice's own process. For a single canary it also prints the time of each further step. It says which goals are
// missed.
//
// A canary starts every pod twice, its own and the one of the stable version, in a Deployment that is created and
// deleted. The control plane takes most of the time of many canaries at once. If the plain update takes long, a goal in
// seconds says little.
//
//	go run ./cmd/scale             the table
//	go run ./cmd/scale -sizes 1,20 fewer sizes
//
// With SCALE_PROFILE=FILE the last size writes a profile of Sluice's processor time to that file.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-cd/sluice/e2e/cluster"
)

// longest bounds the whole run.
const longest = time.Hour

// fakeNodes hold the pods of the largest size, twice.
const fakeNodes = 10

func main() {
	sizes := flag.String("sizes", "1,20,200,1000", "how many canaries at once")
	each := flag.Bool("requests", false, "also list the requests of each size by verb and resource")
	child := flag.String("deliver", "", "what to deliver, as JSON: for the process that is measured")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	run := func() error { return compare(ctx, *sizes, *each) }
	if *child != "" {
		run = func() error {
			var d delivery
			if err := json.Unmarshal([]byte(*child), &d); err != nil {
				return err
			}
			return d.run(ctx)
		}
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

// compare prints the table. If no cluster ran before, none runs afterwards.
func compare(ctx context.Context, sizes string, each bool) (err error) {
	standing, err := cluster.Running(cluster.Options{})
	if err != nil {
		return err
	}
	c, err := cluster.UpKWOK(ctx, cluster.Options{}, fakeNodes)
	if err != nil {
		return err
	}
	if len(standing) == 0 {
		defer func() { err = errors.Join(err, cluster.Down(cluster.Options{})) }()
	}
	fmt.Printf("%8s %9s %9s %7s %8s %8s %9s %7s %7s %7s\n", "at once", "plain", "canary", "ratio", "step", "writes",
		"dry runs", "reads", "CPU s", "RSS MB")
	for field := range strings.SplitSeq(sizes, ",") {
		n, err := strconv.Atoi(field)
		if err != nil || n < 1 {
			return fmt.Errorf("%q is not a number of canaries", field)
		}
		m, err := measure(ctx, c, n)
		if err != nil {
			return fmt.Errorf("%d at once: %w", n, err)
		}
		m.print(os.Stdout)
		if each {
			m.printEach(os.Stdout)
		}
		m.missed(os.Stdout)
	}
	fmt.Println("goals: under 0.10 s a further step, 1000 in under 70 s, at most 10 writes a release, under 150 MB")
	return nil
}

func (m measurement) print(w io.Writer) {
	step := ""
	if m.step > 0 {
		step = seconds(m.step)
	}
	r := m.requests
	fmt.Fprintf(w, "%8d %9s %9s %7.1f %8s %8.1f %9.1f %7.1f %7.1f %7d\n", m.n, seconds(m.plain), seconds(m.canary),
		m.canary.Seconds()/m.plain.Seconds(), step, m.per(r.writes), m.per(r.dryRuns), m.per(r.reads),
		m.cpu.Seconds(), m.rss>>20)
}

// printEach prints how many requests of each kind a release took.
func (m measurement) printEach(w io.Writer) {
	for _, what := range slices.Sorted(maps.Keys(m.requests.each)) {
		fmt.Fprintf(w, "%8s %6.2f %s\n", "", m.per(m.requests.each[what]), what)
	}
}

// per is the number for each release.
func (m measurement) per(count int) float64 { return float64(count) / float64(m.n) }

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
