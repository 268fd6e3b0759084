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
	"os"
	"os/signal"
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
	child := flag.String("deliver", "", "what to deliver, as JSON: for the process that is measured")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	run := func() error { return compare(ctx, *sizes) }
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
func compare(ctx context.Context, sizes string) (err error) {
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
	fmt.Printf("%8s %13s %10s %15s %15s %7s %8s\n", "at once", "plain update", "canary", "a further step",
		"writes/release", "CPU s", "RSS MB")
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
	fmt.Fprintf(w, "%8d %13s %10s %15s %15.1f %7.1f %8d\n", m.n, seconds(m.plain), seconds(m.canary), step, m.writes,
		m.cpu.Seconds(), m.rss>>20)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
