package enginetest

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// A crowd is many deployments at once, and the people who approve them.
type crowd struct {
	engine *engine.Engine
	plan   func(application string) *sluice.Plan
	middle sluice.StepID // waits for an approval, or hangs
	next   sluice.StepID
	hang   bool

	waiting          chan sluice.DeploymentID // gets those that wait, unless it is nil: then they are approved at once
	hanging, resumed sync.WaitGroup

	mu        sync.Mutex
	ids       []sluice.DeploymentID
	signalled map[sluice.DeploymentID]time.Time
	seen      map[sluice.DeploymentID]bool
	reactions []time.Duration
}

func newCrowd(store sluice.Store, steps int) *crowd {
	id := func(n int) sluice.StepID { return sluice.StepID(fmt.Sprintf("production/canary/%d", n)) }
	c := &crowd{
		middle: id(steps / 2), next: id(steps/2 + 1),
		signalled: map[sluice.DeploymentID]time.Time{}, seen: map[sluice.DeploymentID]bool{},
	}
	c.plan = func(application string) *sluice.Plan {
		p := &sluice.Plan{Application: application,
			Targets: []sluice.PlannedTarget{{Name: "production", Account: "local", AfterFailure: "rollBack"}}}
		for n := range steps {
			s := sluice.PlannedStep{ID: id(n), Target: "production", Phase: sluice.PhaseCanary}
			if n > 0 {
				s.After = []sluice.StepID{id(n - 1)}
			}
			p.Steps = append(p.Steps, s)
		}
		return p
	}
	c.engine = newEngine(approvingStore{store, c}, c)
	return c
}

// start starts the deployments, each for its own application.
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

// waits is called when a wait is recorded.
func (c *crowd) waits(id sluice.DeploymentID) {
	if c.waiting != nil {
		c.waiting <- id
		return
	}
	go c.approve(id)
}

// approve sends the signal that a deployment waits for, and notes when.
func (c *crowd) approve(id sluice.DeploymentID) {
	c.mu.Lock()
	c.signalled[id] = time.Now()
	c.mu.Unlock()
	// If it were refused the deployment would never end, which await would tell.
	_ = c.engine.Signal(context.Background(), id,
		sluice.Signal{Kind: sluice.SignalApprove, Step: c.middle, By: sluice.Actor{Name: "bob"}})
}

func newEngine(store sluice.Store, steps sluice.Steps) *engine.Engine {
	return engine.New(engine.Config{Store: store, Steps: steps, Now: time.Now, Random: rand.Reader})
}

// An approvingStore tells the crowd of every recorded wait.
type approvingStore struct {
	sluice.Store
	crowd *crowd
}

func (l approvingStore) Append(
	ctx context.Context, id sluice.DeploymentID, after sluice.Seq, events ...sluice.Event,
) error {
	if err := l.Store.Append(ctx, id, after, events...); err != nil {
		return err
	}
	for _, e := range events {
		if e.Kind == sluice.StepProgressed && e.Progress.State == sluice.Waiting {
			l.crowd.waits(id)
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
	return sluice.Preview{Snapshot: []byte(`{"replicas":3,"image":"shop:1.4.2"}`)}, nil
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

// began notes that a deployment has reached its middle step.
func (c *crowd) began(id sluice.DeploymentID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.seen[id] && len(c.ids) == 0 {
		c.resumed.Done()
	}
	c.seen[id] = true
}
