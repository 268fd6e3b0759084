package enginetest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-cd/sluice"
)

// A behaviour says how a step goes about its work.
type behaviour struct {
	rounds  int           // how often it reports Running before it is done
	pause   time.Duration // how long it then waits for a time
	signal  string        // the kind of signal it then waits for
	lane    bool          // whether it moves its target's version on, which Undo puts back from the image
	fails   bool          // whether its work turns out not to have worked
	flaky   bool          // whether the first try of Start finds something unavailable
	scarred bool          // whether Undo fails
	repairs int           // after how many repairs Undo works all the same; 0: never
	well    time.Duration // how long its guard finds everything well; 0: for ever
}

// steps makes the steps of a scenario.
type steps struct {
	world      world
	log        sluice.Log
	behaviours map[sluice.StepID]behaviour
}

// New implements sluice.Steps.
func (s steps) New(sc sluice.StepContext) (sluice.Step, error) {
	return &step{
		steps: s, behaviour: s.behaviours[sc.Step.ID], sc: sc,
		name: string(sc.Step.ID), lane: "version of " + sc.Target.Name,
	}, nil
}

// A step's work is two effects, so that it can be killed between them, and something kept for Undo until Finish.
type step struct {
	steps
	behaviour behaviour
	sc        sluice.StepContext
	name      string
	lane      string
}

// data is what a step remembers from call to call.
type data struct {
	Round int `json:"round"`
}

func (s *step) Check(ctx context.Context) (sluice.Preview, error) {
	if err := s.admit(ctx, "check", sluice.Progress{}); err != nil {
		return sluice.Preview{}, err
	}
	before, err := s.world.Get(s.lane)
	if err != nil {
		return sluice.Preview{}, err
	}
	image, err := json.Marshal(before)
	return sluice.Preview{Snapshot: image}, err
}

func (s *step) Start(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	if err := s.admit(ctx, "start", p); err != nil {
		return p, err
	}
	if err := s.set(ctx, "kept for "+s.name, string(p.Snapshot)); err != nil {
		return p, err
	}
	if s.behaviour.flaky {
		if tried, err := s.world.Get("outage of " + s.name); err != nil || tried == "" {
			if err := s.set(ctx, "outage of "+s.name, "over"); err != nil {
				return p, err
			}
			return p, sluice.Errorf(sluice.Unavailable, "the world is away")
		}
	}
	if err := s.set(ctx, s.name, "made"); err != nil {
		return p, err
	}
	if s.behaviour.lane {
		if err := s.set(ctx, s.lane, s.name); err != nil {
			return p, err
		}
	}
	return s.report(data{})
}

// report says how far the work is.
func (s *step) report(d data) (sluice.Progress, error) {
	raw, err := json.Marshal(d)
	if err != nil {
		return sluice.Progress{}, err
	}
	b := s.behaviour
	switch {
	case d.Round < b.rounds:
		return sluice.Progress{State: sluice.Running, Data: raw, Message: fmt.Sprintf("round %d", d.Round)}, nil
	case d.Round == b.rounds && b.pause > 0:
		return sluice.Progress{State: sluice.Waiting, Data: raw, Wait: &sluice.Wait{Until: time.Now().Add(b.pause)}}, nil
	case d.Round == b.rounds && b.signal != "":
		return sluice.Progress{State: sluice.Waiting, Data: raw, Wait: &sluice.Wait{Signals: []string{b.signal}}}, nil
	case b.fails:
		return sluice.Progress{}, sluice.Errorf(sluice.Failed, "%s did not work", s.name)
	}
	return sluice.Progress{State: sluice.Done, Data: raw,
		Result: &sluice.Result{Checkpoint: sluice.CheckpointID(s.name)}}, nil
}

func (s *step) Observe(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	if err := s.admit(ctx, "observe", p); err != nil {
		return p, err
	}
	if w := p.Wait; p.State == sluice.Waiting && w != nil {
		came := slices.ContainsFunc(p.Signals, func(sig sluice.Signal) bool { return slices.Contains(w.Signals, sig.Kind) })
		if due := !w.Until.IsZero() && !time.Now().Before(w.Until); !due && !came {
			return p, s.world.Complain(s.name + " is observed before what it waits for has come")
		}
	}
	var d data
	if err := json.Unmarshal(p.Data, &d); err != nil {
		return p, s.world.Complain(fmt.Sprintf("%s lost its data: %s", s.name, p.Data))
	}
	d.Round++
	return s.report(d)
}

func (s *step) Finish(ctx context.Context, p sluice.Progress) error {
	if err := s.admit(ctx, "finish", p); err != nil {
		return err
	}
	return s.set(ctx, "kept for "+s.name, "")
}

func (s *step) Undo(ctx context.Context, p sluice.Progress) error {
	if err := s.admit(ctx, "undo", p); err != nil {
		return err
	}
	if healed, err := s.isHealed(); err != nil || !healed {
		return cmp.Or(err, error(sluice.Errorf(sluice.Failed, "%s cannot be put back", s.name)))
	}
	if s.behaviour.lane {
		if err := s.putLaneBack(ctx, p); err != nil {
			return err
		}
	}
	if err := s.set(ctx, s.name, ""); err != nil {
		return err
	}
	return s.set(ctx, "kept for "+s.name, "")
}

// putLaneBack puts the version back, unless a later step's version is still there.
func (s *step) putLaneBack(ctx context.Context, p sluice.Progress) error {
	var before string
	if err := json.Unmarshal(p.Snapshot, &before); err != nil {
		return s.world.Complain(fmt.Sprintf("%s lost its image: %s", s.name, p.Snapshot))
	}
	now, err := s.world.Get(s.lane)
	if err != nil || now != s.name {
		return err
	}
	return s.set(ctx, s.lane, before)
}

// isHealed reports whether what Undo puts back can be put back.
func (s *step) isHealed() (bool, error) {
	repaired, err := s.world.Get(repaired)
	return !s.behaviour.scarred || s.behaviour.repairs > 0 && len(repaired) >= s.behaviour.repairs, err
}

// Guard implements sluice.Guard.
func (s *step) Guard(ctx context.Context) error {
	if s.behaviour.well == 0 {
		<-ctx.Done()
		return ctx.Err()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(s.behaviour.well):
		return sluice.Errorf(sluice.Failed, "what %s brought is not well", s.name)
	}
}

// Well implements sluice.Guard.
func (s *step) Well(ctx context.Context) error { return ctx.Err() }

// set makes an effect, but none once ctx is cancelled.
func (s *step) set(ctx context.Context, name, value string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.world.Set(name, value)
}
