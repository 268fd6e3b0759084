package telemetry

import (
	"context"
	"time"

	"github.com/sluice-cd/sluice"
)

// followAgain is how long Follow waits until it reads a store again that could not be read.
const followAgain = time.Second

// Follow counts the events of every process that uses the store, from now until ctx ends. It is called once. While the
// store cannot be read, it tells warn and tries again; nothing is left out or counted twice.
func (m *Metrics) Follow(ctx context.Context, store sluice.Tail, log sluice.Log, warn func(error)) {
	f := follower{Metrics: m, tail: store, log: log}
	for {
		err := f.follow(ctx)
		m.feed.Set(0)
		if err != nil && ctx.Err() == nil {
			warn(err)
		}
		select {
		case <-time.After(followAgain):
		case <-ctx.Done():
			return
		}
	}
}

type follower struct {
	*Metrics
	tail   sluice.Tail
	log    sluice.Log
	known  bool // what had not ended was read
	cursor sluice.Cursor
}

func (f *follower) follow(ctx context.Context) error {
	newest, err := f.tail.Newest(ctx)
	if err != nil {
		return err
	}
	if !f.known {
		if err := f.begin(ctx); err != nil {
			return err
		}
		f.known, f.cursor = true, newest
	}
	f.feed.Set(1)
	for entry, err := range f.tail.Tail(ctx, f.cursor) {
		if err == nil {
			err = f.add(ctx, entry)
		}
		if err != nil {
			return err
		}
		f.cursor = entry.Cursor
	}
	return nil
}

// begin reads the deployments that have not ended.
func (f *follower) begin(ctx context.Context) error {
	ids, err := f.log.Unended(ctx)
	if err != nil {
		return err
	}
	runs := map[sluice.DeploymentID]*run{}
	for _, id := range ids {
		r, err := f.read(ctx, id, 0)
		if err != nil {
			return err
		}
		if r.Outcome == "" {
			runs[id] = r
		}
	}
	f.census.mu.Lock()
	defer f.census.mu.Unlock()
	f.census.runs = runs
	return nil
}

// read returns a deployment as it was before the event with the number, or with 0 as it is now.
func (f *follower) read(ctx context.Context, id sluice.DeploymentID, before sluice.Seq) (*run, error) {
	r := newRun(id)
	if before == 1 {
		return r, nil
	}
	for e, err := range f.log.Read(ctx, id, 0) {
		if err != nil {
			return nil, err
		}
		if before > 0 && e.Seq >= before {
			break
		}
		r.apply(e)
	}
	return r, nil
}

// add counts an event. What was read at the beginning may hold it already.
func (f *follower) add(ctx context.Context, entry sluice.Entry) (err error) {
	id, e := entry.Deployment, entry.Event
	r, known := f.census.runs[id] // only the follower changes it
	if !known {
		if r, err = f.read(ctx, id, e.Seq); err != nil {
			return err
		}
	}
	f.census.mu.Lock()
	defer f.census.mu.Unlock()
	if e.Seq > r.Seq {
		r.apply(e)
	}
	f.count(r, e)
	if f.census.runs[id] = r; e.Kind == sluice.DeploymentEnded {
		delete(f.census.runs, id)
	}
	return nil
}

func (m *Metrics) count(r *run, e sluice.Event) {
	switch e.Kind {
	case sluice.DeploymentEnded:
		m.ended.WithLabelValues(string(e.Outcome)).Inc()
		if !r.Queued {
			m.deployments.WithLabelValues(string(e.Outcome)).Observe(e.At.Sub(r.begun).Seconds())
		}
	case sluice.StepDone:
		m.took(r, e)
	case sluice.StepFailed:
		m.took(r, e)
		m.failed(r, e, "run")
	case sluice.StepUndoFailed:
		m.failed(r, e, "undo")
	case sluice.StepFinishFailed:
		m.failed(r, e, "finish")
	}
}

func (m *Metrics) took(r *run, e sluice.Event) {
	if s := r.Steps[e.Step]; s != nil && !s.StartedAt.IsZero() {
		m.steps.WithLabelValues(string(s.Plan.Kind)).Observe(e.At.Sub(s.StartedAt).Seconds())
	}
}

func (m *Metrics) failed(r *run, e sluice.Event, during string) {
	if s := r.Steps[e.Step]; s != nil && e.Failure != nil {
		m.failures.WithLabelValues(string(s.Plan.Kind), string(e.Failure.Code), during).Inc()
	}
}
