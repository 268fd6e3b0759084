// Scale measures Sluice on a control plane with fake nodes: so many canaries of three steps at once, of one instant pod each,
// beside a plain update of as many Deployments. It prints, for each size, the time, the writes of a release as the API
// server recorded them, dry runs included, and the processor time and memory of Sluice's own process; for a single canary
// also what each further step takes. It fails where a goal is missed.
//
// A canary brings every pod twice, its own and the stable version's, in a Deployment that comes and goes: of the time that
// many take at once, most is the control plane's.
//
//	go run ./cmd/scale             the table
//	go run ./cmd/scale -sizes 1,20 fewer of them
//
// With SCALE_PROFILE=FILE the last size leaves a profile of Sluice's processor time there.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sluice-cd/sluice/e2e/cluster"
)

// longest bounds the whole.
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

// compare prints the table. Where no cluster stood before it, none stands after it.
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
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "at once\tplain update\tcanary\ta further step\twrites/release\tCPU s\tRSS MB\t")
	missed := 0
	for field := range strings.SplitSeq(sizes, ",") {
		n, err := strconv.Atoi(field)
		if err != nil || n < 1 {
			return fmt.Errorf("%q is not a number of canaries", field)
		}
		m, err := measure(ctx, c, n)
		if err != nil {
			return fmt.Errorf("%d at once: %w", n, err)
		}
		step := ""
		if m.step > 0 {
			step = seconds(m.step)
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%.1f\t%.1f\t%d\t\n", n, seconds(m.plain), seconds(m.canary), step, m.writes, m.cpu.Seconds(), m.rss>>20)
		missed += m.missed(os.Stdout)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Println("goals: under 0.10 s a further step, 1000 in under 70 s, at most 10 writes a release, under 150 MB")
	if missed > 0 {
		return fmt.Errorf("%d goals missed", missed)
	}
	return nil
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
