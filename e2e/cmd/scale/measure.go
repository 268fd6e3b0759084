package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/sluice-cd/sluice/e2e/cluster"
)

// agent is the user agent of the process that is measured.
const agent = "sluice-scale"

// steps of a release: three weights.
const steps = 3

// A measurement is one row of the table.
type measurement struct {
	n             int
	plain, canary time.Duration
	writes        float64 // a release
	cpu           time.Duration
	rss           int64 // bytes, at the end
}

// perStep is what a step of a release takes on the average, with others beside it.
func (m measurement) perStep() time.Duration { return m.canary / time.Duration(steps*m.n) }

// missed says which goals the row misses, and how many.
func (m measurement) missed(w io.Writer) (count int) {
	for _, goal := range []struct {
		missed bool
		text   string
	}{
		{m.n == 1 && m.perStep() > 100*time.Millisecond, "one step takes 0.10 s or more"},
		{m.n == 1000 && m.canary > 70*time.Second, "1000 canaries take 70 s or more"},
		{m.writes > 10, "a release takes more than 10 writes"},
		{m.rss > 150<<20, "the process has 150 MB or more"},
	} {
		if goal.missed {
			count++
			fmt.Fprintf(w, "missed at %d: %s\n", m.n, goal.text)
		}
	}
	return count
}

// measure takes one row: a plain update of n Deployments, then n canaries of as many others.
func measure(ctx context.Context, c *cluster.Cluster, n int) (measurement, error) {
	m := measurement{n: n}
	f, err := newField(ctx, c, n)
	if err != nil {
		return m, err
	}
	defer f.clear(context.WithoutCancel(ctx))
	if m.plain, err = f.plainUpdate(ctx); err != nil {
		return m, fmt.Errorf("the plain update: %w", err)
	}
	from, err := os.Stat(c.Audit())
	if err != nil {
		return m, err
	}
	begun, err := m.deliver(ctx, f)
	if err != nil {
		return m, err
	}
	writes, err := countWrites(c.Audit(), from.Size(), begun)
	m.writes = float64(writes) / float64(n)
	return m, err
}

// deliver runs the process that is measured, and returns when it began with what is measured.
func (m *measurement) deliver(ctx context.Context, f *field) (time.Time, error) {
	self, err := os.Executable()
	if err != nil {
		return time.Time{}, err
	}
	cmd := exec.CommandContext(ctx, self, "-deliver", fmt.Sprintf("%s:%d", f.namespace, m.n), "-kubeconfig", f.kubeconfig)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return time.Time{}, err
	}
	var r report
	if err := json.Unmarshal(out, &r); err != nil {
		return time.Time{}, err
	}
	m.canary, m.cpu, m.rss = r.Elapsed, r.CPU, r.RSS
	return r.Begun, nil
}

// countWrites reads off the API server's own record, from the offset on, what the measured process wrote since it began.
// What it tried without writing, as a dry run, counts too.
func countWrites(file string, from int64, begun time.Time) (int, error) {
	f, err := os.Open(file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return 0, err
	}
	count := 0
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e struct {
			UserAgent string    `json:"userAgent"`
			Received  time.Time `json:"requestReceivedTimestamp"`
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return 0, err
		}
		if strings.HasPrefix(e.UserAgent, agent) && !e.Received.Before(begun) {
			count++
		}
	}
	return count, lines.Err()
}
