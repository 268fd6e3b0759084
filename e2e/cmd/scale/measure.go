package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/sluice-cd/sluice/e2e/cluster"
)

// agent is the user agent of the measured process.
const agent = "sluice-scale"

// steps is the number of steps of a canary; further is how many more it gets to measure the cost of one.
const steps, further = 3, 10

// maxWrites is the goal for a release.
const maxWrites = 6

// A measurement is one row of the table.
type measurement struct {
	n             int
	plain, canary time.Duration
	step          time.Duration // the time of a further step; measured with one canary, else 0
	requests      requests
	cpu           time.Duration
	rss           int64 // bytes, at the end
}

// missed names the goals that the row misses.
func (m measurement) missed(w io.Writer) {
	for _, goal := range []struct {
		missed bool
		text   string
	}{
		{m.step >= 100*time.Millisecond, "a further step takes 0.10 s or more"},
		{m.n == 1000 && m.canary > 70*time.Second, "1000 canaries take 70 s or more"},
		{m.per(m.requests.writes) > maxWrites, "a release takes more than 6 writes"},
		{m.rss > 150<<20, "the process has 150 MB or more"},
	} {
		if goal.missed {
			fmt.Fprintf(w, "missed at %d: %s\n", m.n, goal.text)
		}
	}
}

// measure measures one row: a plain update of n Deployments, then n canaries.
func measure(ctx context.Context, c *cluster.Cluster, n int) (measurement, error) {
	m := measurement{n: n}
	err := on(ctx, c, "plain", n, func(f *field) (err error) {
		if err := f.create(ctx); err != nil {
			return err
		}
		m.plain, err = f.update(ctx)
		return err
	})
	if err != nil {
		return m, err
	}
	return m, on(ctx, c, "canary", n, func(f *field) error { return m.canaries(ctx, c, f) })
}

func (m *measurement) canaries(ctx context.Context, c *cluster.Cluster, f *field) error {
	from, err := os.Stat(c.Audit())
	if err != nil {
		return err
	}
	r, err := f.deliver(ctx, steps)
	if err != nil {
		return err
	}
	m.canary, m.cpu, m.rss = r.Elapsed, r.CPU, r.RSS
	m.requests, err = readRecord(c.Audit(), from.Size(), r.Begun)
	if err != nil || f.n > 1 {
		return err
	}
	longer, err := f.deliver(ctx, steps+further)
	m.step = (longer.Elapsed - r.Elapsed) / further
	return err
}

// deliver runs the measured process.
func (f *field) deliver(ctx context.Context, steps int) (r report, err error) {
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	what, err := json.Marshal(delivery{Kubeconfig: f.kubeconfig, Namespace: f.namespace, Canaries: f.n, Steps: steps})
	if err != nil {
		return r, err
	}
	cmd := exec.CommandContext(ctx, self, "-deliver", string(what))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(out, &r)
}
