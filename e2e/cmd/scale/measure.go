package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"time"
)

// agent is the user agent of the measured process.
const agent = "sluice-scale"

// steps is the number of steps of a canary; further is how many more it gets to measure the cost of one.
const steps, further = 3, 10

// The goals for a release.
const (
	maxRatio  = 2 // of the time of a plain update
	maxWrites = 6
	maxRSS    = 150 << 20
	maxStep   = 100 * time.Millisecond
)

// A measurement is one row of the table.
type measurement struct {
	shape
	plain, canary time.Duration
	pods          int           // of the new version that the canaries started
	step          time.Duration // the time of a further step; measured with one canary, else 0
	requests      *requests     // nil: not known
	cpu           time.Duration
	rss           int64 // bytes, at the end; 0: not known
	// The processor time of the control plane; 0: not known.
	plainPlane, canaryPlane time.Duration
}

func (m measurement) ratio() float64 { return m.canary.Seconds() / m.plain.Seconds() }

// work is how many times the processor time of a plain update the canaries take, that of Sluice included.
func (m measurement) work() float64 {
	return (m.cpu + m.canaryPlane).Seconds() / m.plainPlane.Seconds()
}

// podsPerReplica is 1 if every pod was started once.
func (m measurement) podsPerReplica() float64 { return float64(m.pods) / float64(m.n*m.replicas) }

// per is the number for each release.
func (m measurement) per(count int) float64 { return float64(count) / float64(m.n) }

// missed names the goals that the row misses. A single release is too short for a ratio.
func (m measurement) missed() []string {
	var list []string
	for _, goal := range []struct {
		missed bool
		text   string
	}{
		{m.n > 1 && m.ratio() > maxRatio, "a release takes more than twice the time of a plain update"},
		{m.podsPerReplica() > 1, "a release starts pods more than once"},
		{m.requests != nil && m.per(m.requests.writes) > maxWrites, "a release takes more than 6 writes"},
		{m.rss >= maxRSS, "the process has 150 MB or more"},
		{m.step >= maxStep, "a further step takes 0.10 s or more"},
	} {
		if goal.missed {
			list = append(list, goal.text)
		}
	}
	return list
}

// A releaser releases every application of a field, then measures the release of the next version.
type releaser func(context.Context, *field, *measurement) error

// measure measures one row: a plain update of the Deployments, then canaries.
func measure(ctx context.Context, p place, s shape, canaries releaser) (measurement, error) {
	m := measurement{shape: s}
	err := on(ctx, p, "plain", s, func(f *field) (err error) {
		if err := f.create(ctx); err != nil {
			return err
		}
		m.plainPlane, err = planeTime(ctx, func() (err error) {
			m.plain, err = f.update(ctx)
			return err
		})
		return err
	})
	if err != nil {
		return m, err
	}
	return m, on(ctx, p, "canary", s, func(f *field) error { return canaries(ctx, f, &m) })
}

// bySluice releases with Sluice.
func bySluice(ctx context.Context, f *field, m *measurement) error {
	from, err := os.Stat(f.audit)
	if err != nil {
		return err
	}
	var r report
	m.pods, err = f.started(ctx, func() (err error) {
		r, err = f.deliver(ctx, steps)
		return err
	})
	if err != nil {
		return err
	}
	m.canary, m.cpu, m.rss, m.canaryPlane = r.Elapsed, r.CPU, r.RSS, r.Plane
	m.requests, err = readRecord(f.audit, from.Size(), r.Begun)
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
	what, err := json.Marshal(delivery{
		Kubeconfig: f.kubeconfig, Namespace: f.namespace, Canaries: f.n, Replicas: f.replicas, Steps: steps,
	})
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
