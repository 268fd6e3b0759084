package enginetest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/sqlite"
)

// A Measurement says how long many deployments took that ran at the same time.
type Measurement struct {
	Steps    int             // that were run
	Took     time.Duration   // from the first start to the last end
	Reaction []time.Duration // from each signal to the start of the step after the one that waited, ascending
}

// Percentile returns the longest reaction among the fastest share p, 0 to 1, of all reactions.
func (m Measurement) Percentile(p float64) time.Duration {
	if len(m.Reaction) == 0 {
		return 0
	}
	return m.Reaction[min(int(p*float64(len(m.Reaction))), len(m.Reaction)-1)]
}

// MeasureDeployments runs deployments of that many steps, all at once, with the log in a file that is synced to disk.
// One step in the middle of each waits for an approval, which is given as soon as the wait is recorded. All approvals
// come almost at the same instant, so the reactions are those of an overloaded engine.
func MeasureDeployments(ctx context.Context, deployments, steps int) (m Measurement, err error) {
	err = withStore(ctx, func(store sluice.Store) error {
		c := newCrowd(store, steps)
		defer c.stop()
		began := time.Now()
		if err := c.start(ctx, deployments); err != nil {
			return err
		}
		err := c.await(ctx)
		m = Measurement{Steps: deployments * steps, Took: time.Since(began),
			Reaction: slices.Sorted(slices.Values(c.reactions))}
		return err
	})
	return m, err
}

// MeasureReaction lets that many deployments wait for an approval, then approves them at the given rate a second.
// Approved deployments run to their end meanwhile.
func MeasureReaction(ctx context.Context, deployments, steps, perSecond int) (m Measurement, err error) {
	err = withStore(ctx, func(store sluice.Store) error {
		c := newCrowd(store, steps)
		c.waiting = make(chan sluice.DeploymentID, deployments)
		defer c.stop()
		if err := c.start(ctx, deployments); err != nil {
			return err
		}
		// Nobody is approved before all wait.
		waiting := make([]sluice.DeploymentID, deployments)
		for i := range waiting {
			waiting[i] = <-c.waiting
		}
		began := time.Now()
		pace := time.NewTicker(time.Second / time.Duration(perSecond))
		defer pace.Stop()
		for _, id := range waiting {
			<-pace.C
			go c.approve(id)
		}
		err := c.await(ctx)
		m = Measurement{Steps: deployments * (steps - steps/2), Took: time.Since(began),
			Reaction: slices.Sorted(slices.Values(c.reactions))}
		return err
	})
	return m, err
}

// MeasureResume interrupts that many deployments in the middle. It returns how long a new engine takes from opening the
// store until it has called a verb of every deployment again.
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

// interrupted leaves deployments behind that an engine stopped in the middle of a step.
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

// withStore calls use with a new store and closes it.
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
