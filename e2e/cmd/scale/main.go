// Scale measures Sluice on a control plane with fake nodes, where every pod is ready at once. It runs many canaries at
// once, with steps of 25, 50 and 100 %, and compares them with a plain update of as many Deployments. For each size it
// prints:
//
//	plain, canary, ratio    the time of the plain update, that of the canaries, and how many times as much it is
//	pods                    how many pods of the new version the canaries started, for each replica
//	step                    the time of a further step; for a single canary
//	writes, dry runs, reads of a release, as the API server recorded them; a watch is one read
//	CPU s, RSS MB           of Sluice's own process
//	plane s, of plain       the processor time of the control plane, with the fake nodes, for the canaries and for the
//	                        plain update
//	work                    how many times the processor time of the plain update the canaries take, Sluice included
//
// It says which goals are missed. The control plane takes most of the time of many canaries at once, and other programs
// on the machine disturb it, so only the ratio of one run says much. Processor times are disturbed less than times.
//
//	go run ./cmd/scale                              the table
//	go run ./cmd/scale -sizes 1,20x4                other sizes: 1 Deployment of 1 replica, 20 of 4 replicas
//	go run ./cmd/scale -requests                    also which requests a release sends
//	go run ./cmd/scale -argo KUBECONFIG[,CONTEXT]   Argo Rollouts instead, in a cluster with its controller
//
// The requests and the process of Argo Rollouts are not measured: it prints "-".
//
// With SCALE_PROFILE=FILE the last size writes a profile of Sluice's processor time to that file.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/sluice-cd/sluice/e2e/cluster"
)

// longest bounds the whole run.
const longest = time.Hour

// fakeNodes hold the pods of the largest size, twice.
const fakeNodes = 10

// A task is what the flags ask for.
type task struct {
	sizes    string
	argo     string
	requests bool
	child    string
}

func main() {
	var t task
	flag.StringVar(&t.sizes, "sizes", "1,20,200,1000,20x4,50x4", "how many canaries at once, x replicas")
	flag.StringVar(&t.argo, "argo", "", "measure Argo Rollouts in the cluster of this kubeconfig[,context]")
	flag.BoolVar(&t.requests, "requests", false, "also list the requests of each size by verb and resource")
	flag.StringVar(&t.child, "deliver", "", "what to deliver, as JSON: for the process that is measured")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	if err := t.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func (t task) run(ctx context.Context) error {
	if t.child != "" {
		var d delivery
		if err := json.Unmarshal([]byte(t.child), &d); err != nil {
			return err
		}
		return d.run(ctx)
	}
	shapes, err := parseShapes(t.sizes)
	if err != nil {
		return err
	}
	if t.argo != "" {
		kubeconfig, name, _ := strings.Cut(t.argo, ",")
		p, err := placeOf(kubeconfig, name)
		if err != nil {
			return err
		}
		return t.compare(ctx, p, shapes, byArgo)
	}
	return t.onFakeNodes(ctx, shapes)
}

// onFakeNodes measures Sluice. If no cluster ran before, none runs afterwards.
func (t task) onFakeNodes(ctx context.Context, shapes []shape) (err error) {
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
	p, err := placeOf(c.Kubeconfig, "")
	if err != nil {
		return err
	}
	p.audit = c.Audit()
	return t.compare(ctx, p, shapes, bySluice)
}

// compare prints the table.
func (t task) compare(ctx context.Context, p place, shapes []shape, release releaser) error {
	fmt.Print(header)
	for _, s := range shapes {
		m, err := measure(ctx, p, s, release)
		if err != nil {
			return fmt.Errorf("%s at once: %w", s, err)
		}
		fmt.Print(m.row())
		if t.requests && m.requests != nil {
			fmt.Print(m.each())
		}
		for _, goal := range m.missed() {
			fmt.Printf("missed at %s: %s\n", s, goal)
		}
	}
	fmt.Print(goals)
	return nil
}
