package telemetry

import (
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// unended are the statuses of deployments that have not ended.
var unended = []sluice.Status{
	sluice.StatusQueued, sluice.StatusRunning, sluice.StatusWaiting, sluice.StatusPaused, sluice.StatusRollingBack,
}

// A run is a deployment that has not ended.
type run struct {
	*engine.State
	begun   time.Time                   // or reopened
	waiting map[sluice.StepID]time.Time // since when steps wait for a person
}

func newRun(id sluice.DeploymentID) *run {
	return &run{State: &engine.State{ID: id}, waiting: map[sluice.StepID]time.Time{}}
}

func (r *run) apply(e sluice.Event) {
	r.Apply(e)
	switch e.Kind {
	case sluice.DeploymentStarted, sluice.DeploymentReopened:
		r.begun = e.At
	case sluice.StepProgressed:
		if !needsPerson(e.Progress) {
			delete(r.waiting, e.Step)
		} else if _, already := r.waiting[e.Step]; !already {
			r.waiting[e.Step] = e.At
		}
	case sluice.StepDone, sluice.StepFailed, sluice.StepSkipped, sluice.StepUndoing:
		delete(r.waiting, e.Step)
	}
}

// needsPerson reports whether a step waits until somebody approves it.
func needsPerson(p *sluice.Progress) bool {
	return p != nil && p.State == sluice.Waiting && p.Wait != nil && slices.Contains(p.Wait.Signals, sluice.SignalApprove)
}

// A census counts the deployments that have not ended whenever it is asked.
type census struct {
	now                         func() time.Time
	deployments, people, oldest *prometheus.Desc

	mu   sync.Mutex
	runs map[sluice.DeploymentID]*run
}

func newCensus(now func() time.Time) *census {
	return &census{
		now: now, runs: map[sluice.DeploymentID]*run{},
		deployments: prometheus.NewDesc("sluice_deployments", "Deployments that have not ended, by status",
			[]string{"status"}, nil),
		people: prometheus.NewDesc("sluice_deployments_waiting_for_person",
			"Deployments with a step that waits until somebody approves it", nil, nil),
		oldest: prometheus.NewDesc("sluice_oldest_wait_seconds",
			"For how long the oldest of these steps has waited, 0 if there is none", nil, nil),
	}
}

// Describe names the metrics.
func (c *census) Describe(to chan<- *prometheus.Desc) {
	to <- c.deployments
	to <- c.people
	to <- c.oldest
}

// Collect counts.
func (c *census) Collect(to chan<- prometheus.Metric) {
	counts, people, oldest := c.count()
	for _, s := range unended {
		to <- prometheus.MustNewConstMetric(c.deployments, prometheus.GaugeValue, float64(counts[s]), string(s))
	}
	to <- prometheus.MustNewConstMetric(c.people, prometheus.GaugeValue, float64(people))
	to <- prometheus.MustNewConstMetric(c.oldest, prometheus.GaugeValue, oldest.Seconds())
}

func (c *census) count() (counts map[sluice.Status]int, people int, oldest time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	counts = map[sluice.Status]int{}
	for _, r := range c.runs {
		counts[r.Status()]++
		if len(r.waiting) > 0 {
			people++
		}
		for _, since := range r.waiting {
			oldest = max(oldest, now.Sub(since))
		}
	}
	return counts, people, oldest
}
