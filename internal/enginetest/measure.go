package enginetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/sqlite"
)

// A Measurement is what many deployments at once took.
type Measurement struct {
	Steps    int             // that were carried out
	Took     time.Duration   // from the first start to the last end
	Reaction []time.Duration // from each signal to the start of the step after the one that waited, ascending
}

// Percentile returns the reaction that the share p, 0 to 1, of all is not slower than.
func (m Measurement) Percentile(p float64) time.Duration {
	if len(m.Reaction) == 0 {
		return 0
	}
	return m.Reaction[min(int(p*float64(len(m.Reaction))), len(m.Reaction)-1)]
}

// MeasureDeployments carries out deployments of that many steps, all at once, with the log in a file that is synced to
// disk. One step in the middle of each waits for an approval, which is given as soon as the wait is recorded.
func MeasureDeployments(ctx context.Context, deployments, steps int) (m Measurement, err error) {
	err = withStore(ctx, func(store sluice.Store) error {
		c := newCrowd(store, steps)
		defer c.stop()
		began := time.Now()
		if err := c.start(ctx, deployments); err != nil {
			return err
		}
		err := c.await(ctx)
		m = Measurement{Steps: deployments * steps, Took: time.Since(began), Reaction: slices.Sorted(slices.Values(c.reactions))}
		return err
	})
	return m, err
}

// MeasureResume interrupts that many deployments in the middle, and returns how long a new engine takes from opening
// the store until each of them is being carried out again, as the first verb called tells.
func MeasureResume(ctx context.Context, deployments, steps int) (took time.Duration, err error) {
	dir, err := os.MkdirTemp("", "sluice-resume-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := interrupted(ctx, dir, deployments, steps); err != nil {
		return 0, err
	}
	began := time.Now()
	store, err := open(ctx, dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	c := newCrowd(store, steps)
	c.resumed.Add(deployments)
	defer c.stop()
	if err := c.engine.Resume(ctx); err != nil {
		return 0, err
	}
	c.resumed.Wait()
	return time.Since(began), nil
}

// interrupted leaves deployments behind that were stopped in the middle of a step.
func interrupted(ctx context.Context, dir string, deployments, steps int) (err error) {
	store, err := open(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	c := newCrowd(store, steps)
	c.hang = true
	c.hanging.Add(deployments)
	defer c.stop()
	if err := c.start(ctx, deployments); err != nil {
		return err
	}
	c.hanging.Wait()
	return nil
}

func open(ctx context.Context, dir string) (*sqlite.Store, error) {
	return sqlite.Open(ctx, filepath.Join(dir, "sluice.db"))
}

// withStore lends a new store.
func withStore(ctx context.Context, use func(sluice.Store) error) (err error) {
	dir, err := os.MkdirTemp("", "sluice-deployments-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	store, err := open(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return use(store)
}

// A crowd is many deployments at once, with everybody who approves them.
type crowd struct {
	engine *engine.Engine
	plan   func(application string) *sluice.Plan
	middle sluice.StepID // waits for an approval, or hangs
	next   sluice.StepID
	hang   bool

	hanging, resumed sync.WaitGroup

	mu        sync.Mutex
	ids       []sluice.DeploymentID
	signalled map[sluice.DeploymentID]time.Time
	seen      map[sluice.DeploymentID]bool
	reactions []time.Duration
}

func newCrowd(log sluice.Log, steps int) *crowd {
	id := func(n int) sluice.StepID { return sluice.StepID(fmt.Sprintf("production/canary/%d", n)) }
	c := &crowd{
		middle: id(steps / 2), next: id(steps/2 + 1),
		signalled: map[sluice.DeploymentID]time.Time{}, seen: map[sluice.DeploymentID]bool{},
	}
	c.plan = func(application string) *sluice.Plan {
		p := &sluice.Plan{Application: application, Targets: []sluice.PlannedTarget{{Name: "production", Account: "local", AfterFailure: "rollBack"}}}
		for n := range steps {
			s := sluice.PlannedStep{ID: id(n), Target: "production", Phase: sluice.PhaseCanary}
			if n > 0 {
				s.After = []sluice.StepID{id(n - 1)}
			}
			p.Steps = append(p.Steps, s)
		}
		return p
	}
	c.engine = engine.New(engine.Config{Log: approvingLog{log, c}, Steps: c})
	return c
}

// start starts the deployments, each of an application of its own.
func (c *crowd) start(ctx context.Context, deployments int) error {
	c.ids = make([]sluice.DeploymentID, deployments)
	g, ctx := errgroup.WithContext(ctx)
	for i := range c.ids {
		g.Go(func() (err error) {
			c.ids[i], err = c.engine.Start(ctx, c.plan(fmt.Sprint("application-", i)), sluice.Actor{Name: "ana"})
			return err
		})
	}
	return g.Wait()
}

// await returns once all have succeeded.
func (c *crowd) await(ctx context.Context) error {
	for _, id := range c.ids {
		outcome, err := c.engine.Wait(ctx, id)
		if err != nil {
			return err
		}
		if outcome != sluice.StatusSucceeded {
			return fmt.Errorf("deployment %s: %s", id, outcome)
		}
	}
	return nil
}

// stop ends the engine; without a deadline it returns only when nothing is under way.
func (c *crowd) stop() { _ = c.engine.Stop(context.Background()) }

// approve says what is waited for and notes when.
func (c *crowd) approve(id sluice.DeploymentID) {
	c.mu.Lock()
	c.signalled[id] = time.Now()
	c.mu.Unlock()
	// If it were refused the deployment would never end, which await would tell.
	_ = c.engine.Signal(context.Background(), id, sluice.Signal{Kind: sluice.SignalApprove, Step: c.middle, By: sluice.Actor{Name: "bob"}})
}

// An approvingLog tells the crowd of every wait that was recorded.
type approvingLog struct {
	sluice.Log
	crowd *crowd
}

func (l approvingLog) Append(ctx context.Context, id sluice.DeploymentID, after sluice.Seq, events ...sluice.Event) error {
	if err := l.Log.Append(ctx, id, after, events...); err != nil {
		return err
	}
	for _, e := range events {
		if e.Kind == sluice.StepProgressed && e.Progress.State == sluice.Waiting {
			go l.crowd.approve(id)
		}
	}
	return nil
}

// New implements sluice.Steps.
func (c *crowd) New(sc sluice.StepContext) (sluice.Step, error) {
	return crowdStep{c, sc.Deployment, sc.Step.ID}, nil
}

// A crowdStep does nothing, at once, so that what is measured is the engine and the log.
type crowdStep struct {
	crowd      *crowd
	deployment sluice.DeploymentID
	id         sluice.StepID
}

func (s crowdStep) Check(context.Context) (sluice.Preview, error) {
	return sluice.Preview{Image: []byte(`{"replicas":3,"image":"shop:1.4.2"}`)}, nil
}

func (s crowdStep) Start(ctx context.Context, _ sluice.Progress) (sluice.Progress, error) {
	done := sluice.Progress{State: sluice.Done, Message: "3 of 3 pods are ready"}
	switch {
	case s.id == s.crowd.next:
		s.crowd.reacted(s.deployment)
	case s.id == s.crowd.middle && s.crowd.hang:
		s.crowd.hanging.Done()
		<-ctx.Done()
		return done, ctx.Err()
	case s.id == s.crowd.middle:
		s.crowd.began(s.deployment)
		return sluice.Progress{State: sluice.Waiting, Wait: &sluice.Wait{Signals: []string{sluice.SignalApprove}}}, nil
	}
	return done, nil
}

func (s crowdStep) Observe(context.Context, sluice.Progress) (sluice.Progress, error) {
	return sluice.Progress{State: sluice.Done}, nil
}

func (s crowdStep) Finish(context.Context, sluice.Progress) error { return nil }
func (s crowdStep) Undo(context.Context, sluice.Progress) error   { return nil }

// reacted notes how long after the signal the next step began.
func (c *crowd) reacted(id sluice.DeploymentID) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, ok := c.signalled[id]; ok {
		c.reactions = append(c.reactions, now.Sub(at))
	}
}

// began notes that a deployment is at work in its middle.
func (c *crowd) began(id sluice.DeploymentID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.seen[id] && len(c.ids) == 0 {
		c.resumed.Done()
	}
	c.seen[id] = true
}
