package enginetest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
)

// A record is what the log says of the steps at one moment.
type record struct {
	ended   bool
	paused  bool            // by a person
	held    []sluice.StepID // that began all the same
	started []sluice.StepID
	kinds   map[sluice.StepID]map[sluice.EventKind]bool
	image   map[sluice.StepID][]byte
	data    map[sluice.StepID][]byte
}

// readRecord reads the deployment's log, independently of the engine's own fold.
func readRecord(ctx context.Context, log sluice.Log, id sluice.DeploymentID) (*record, error) {
	r := &record{
		kinds: map[sluice.StepID]map[sluice.EventKind]bool{},
		image: map[sluice.StepID][]byte{},
		data:  map[sluice.StepID][]byte{},
	}
	for e, err := range log.Read(ctx, id, 0) {
		if err != nil {
			return nil, err
		}
		r.add(e)
	}
	return r, nil
}

func (r *record) add(e sluice.Event) {
	if r.kinds[e.Step] == nil {
		r.kinds[e.Step] = map[sluice.EventKind]bool{}
	}
	r.kinds[e.Step][e.Kind] = true
	switch e.Kind {
	case sluice.DeploymentEnded:
		r.ended = true
	case sluice.DeploymentReopened:
		r.reopen()
	case sluice.SignalReceived:
		switch e.Signal.Kind {
		case sluice.SignalPause:
			r.paused = true
		case sluice.SignalContinue:
			r.paused = false
		}
	case sluice.StepStarting:
		if r.paused && !strings.Contains(string(e.Step), "/onRollback/") {
			r.held = append(r.held, e.Step)
		}
		r.started = append(r.started, e.Step)
		r.image[e.Step] = e.Progress.Snapshot
	case sluice.StepProgressed, sluice.StepDone:
		r.data[e.Step] = e.Progress.Data
	}
}

// reopen forgets the undo of steps that could not be undone, and of those that their target started before: they are
// undone again, each with its own intent.
func (r *record) reopen() {
	r.ended = false
	again := map[string]bool{} // targets
	for _, id := range slices.Backward(r.started) {
		target, _, _ := strings.Cut(string(id), "/")
		again[target] = again[target] || r.has(id, sluice.StepUndoFailed)
		if again[target] {
			for _, kind := range []sluice.EventKind{sluice.StepUndoing, sluice.StepUndone, sluice.StepUndoFailed} {
				delete(r.kinds[id], kind)
			}
		}
	}
}

func (r *record) has(id sluice.StepID, kinds ...sluice.EventKind) bool {
	return slices.ContainsFunc(kinds, func(k sluice.EventKind) bool { return r.kinds[id][k] })
}

// over are the events after which a verb is never called again.
var over = map[string][]sluice.EventKind{
	"check": {sluice.StepStarting, sluice.StepFailed, sluice.StepSkipped, sluice.StepUndoing},
	"start": {sluice.StepProgressed, sluice.StepDone, sluice.StepFailed, sluice.StepSkipped, sluice.StepUndoing,
		sluice.StepFinishing},
	"observe": {sluice.StepDone, sluice.StepFailed, sluice.StepSkipped, sluice.StepUndoing, sluice.StepFinishing},
	"finish":  {sluice.StepFinished, sluice.StepFinishFailed, sluice.StepUndoing},
	"undo":    {sluice.StepUndone, sluice.StepUndoFailed, sluice.StepFinishing},
}

// intents are the events that have to be in the log before a verb is called.
var intents = map[string]sluice.EventKind{
	"start": sluice.StepStarting, "observe": sluice.StepProgressed, "finish": sluice.StepFinishing,
	"undo": sluice.StepUndoing,
}

// admit complains about a call that the contract of sluice.Step or of the log forbids.
func (s *step) admit(ctx context.Context, verb string, p sluice.Progress) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	// Its own context: that the call is being interrupted says nothing about the log.
	r, err := readRecord(context.WithoutCancel(ctx), s.log, s.sc.Deployment)
	if err != nil {
		return err
	}
	for _, what := range s.faults(r, verb, p) {
		if err := s.world.Complain(fmt.Sprintf("%s of %s: %s", verb, s.name, what)); err != nil {
			return err
		}
	}
	return nil
}

// faults lists what is wrong with a call.
func (s *step) faults(r *record, verb string, p sluice.Progress) []string {
	id := s.sc.Step.ID
	var list []string
	if r.ended {
		list = append(list, "the deployment has ended")
	}
	for _, held := range r.held {
		list = append(list, fmt.Sprintf("%s began while its target was paused", held))
	}
	if r.has(id, over[verb]...) {
		list = append(list, fmt.Sprintf("it is too late, its events are %v", r.kinds[id]))
	}
	if intent := intents[verb]; intent != "" && !r.has(id, intent) {
		list = append(list, "its intent is not in the log")
	}
	if verb != "check" && !bytes.Equal(p.Snapshot, r.image[id]) {
		list = append(list, fmt.Sprintf("the image is %s, recorded is %s", p.Snapshot, r.image[id]))
	}
	if verb != "check" && !bytes.Equal(p.Data, r.data[id]) {
		list = append(list, fmt.Sprintf("the data is %s, recorded is %s", p.Data, r.data[id]))
	}
	if verb == "check" || verb == "start" {
		list = append(list, s.early(r)...)
	}
	if verb == "undo" {
		list = append(list, s.outOfOrder(r)...)
	}
	return list
}

// early lists the predecessors and targets that should have been done before a step begins.
func (s *step) early(r *record) []string {
	var list []string
	for _, before := range s.sc.Step.After {
		if !r.has(before, sluice.StepDone, sluice.StepSkipped) {
			list = append(list, fmt.Sprintf("%s is not done", before))
		}
	}
	for _, other := range s.sc.Plan.Steps {
		if slices.Contains(s.sc.Target.DependsOn, other.Target) && other.Phase != sluice.PhaseOnRollback &&
			!r.has(other.ID, sluice.StepFinished) {
			list = append(list, fmt.Sprintf("%s of the target before is not finished", other.ID))
		}
	}
	if s.sc.Step.Phase != sluice.PhaseOnRollback {
		return list
	}
	for _, id := range r.started {
		if other, _ := s.sc.Plan.Step(id); other.Target == s.sc.Step.Target && other.Phase != sluice.PhaseOnRollback &&
			!r.has(id, sluice.StepUndone, sluice.StepUndoFailed) {
			list = append(list, fmt.Sprintf("%s is not undone", id))
		}
	}
	return list
}

// outOfOrder lists the steps that were started later and should have been undone before.
func (s *step) outOfOrder(r *record) []string {
	var list []string
	for _, id := range slices.Backward(r.started) {
		if id == s.sc.Step.ID {
			return list
		}
		other, _ := s.sc.Plan.Step(id)
		if other.Target == s.sc.Step.Target && s.sc.Step.Phase != sluice.PhaseAfter &&
			other.Phase != sluice.PhaseOnRollback && !r.has(id, sluice.StepUndone, sluice.StepUndoFailed) {
			list = append(list, fmt.Sprintf("%s was started later and is not undone", id))
		}
	}
	return append(list, "it was never started")
}
