package telemetry

import (
	"iter"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sluice-cd/sluice"
)

// A span is one stretch of time of a deployment. The first of a list is the deployment; a target has its steps in it.
type span struct {
	name    string // unique in its trace
	attrs   []attribute.KeyValue
	start   time.Time
	end     time.Time
	failure string // "": it did not fail
	notes   []note
	parts   []*span
}

// A note is a moment in a span.
type note struct {
	name string
	at   time.Time
}

// A story makes the spans of a deployment of its events.
type story struct {
	id      sluice.DeploymentID
	begun   sluice.Seq // the event that began the deployment, or reopened it
	plan    *sluice.Plan
	root    *span
	steps   map[sluice.StepID]sluice.PlannedStep
	targets map[string]*span
	open    map[string]*span // by name
}

// spansOf returns the deployment as a span, with its targets and steps in it, and the event that it begins with: the
// last one that reopened it, or the first.
func spansOf(id sluice.DeploymentID, events iter.Seq2[sluice.Event, error]) (*span, sluice.Seq, error) {
	s := &story{id: id}
	for e, err := range events {
		if err != nil {
			return nil, 0, err
		}
		s.apply(e)
	}
	if s.root == nil {
		return nil, 0, sluice.Errorf(sluice.NotFound, "the deployment %s has no events", id)
	}
	s.close()
	return s.root, s.begun, nil
}

func (s *story) apply(e sluice.Event) {
	if e.Plan != nil {
		s.plan, s.steps = e.Plan, map[sluice.StepID]sluice.PlannedStep{}
		for _, p := range e.Plan.Steps {
			s.steps[p.ID] = p
		}
	}
	switch e.Kind {
	case sluice.DeploymentQueued:
		s.begin(e, "deployment")
		s.root.parts = append(s.root.parts, &span{name: "queued", start: e.At, end: e.At})
	case sluice.DeploymentStarted:
		if s.root == nil {
			s.begin(e, "deployment")
			return
		}
		s.root.parts[0].end = e.At
	case sluice.DeploymentReopened:
		s.begin(e, "deployment reopened")
	case sluice.DeploymentEnded:
		s.ended(e)
	case sluice.SignalReceived:
		s.root.notes = append(s.root.notes, note{e.Signal.Kind, e.At})
	default:
		s.step(e)
	}
}

func (s *story) begin(e sluice.Event, name string) {
	s.begun, s.targets, s.open = e.Seq, map[string]*span{}, map[string]*span{}
	s.root = &span{name: name, start: e.At, end: e.At, attrs: []attribute.KeyValue{
		attribute.String("sluice.deployment", string(s.id)), attribute.String("sluice.application", s.plan.Application),
	}}
}

func (s *story) ended(e sluice.Event) {
	s.root.end = e.At
	s.root.attrs = append(s.root.attrs, attribute.String("sluice.outcome", string(e.Outcome)))
	if e.Outcome == sluice.StatusFailed || e.Outcome == sluice.StatusRolledBack {
		s.root.failure = string(e.Outcome)
	}
}

// step applies an event of a step. Its undo and its finish are spans of their own.
func (s *story) step(e sluice.Event) {
	name := string(e.Step)
	switch e.Kind {
	case sluice.StepUndoing, sluice.StepUndone, sluice.StepUndoFailed:
		name = "undo " + name
	case sluice.StepFinishing, sluice.StepFinished, sluice.StepFinishFailed:
		name = "finish " + name
	}
	part := s.open[name]
	if part == nil {
		part = s.enter(name, e)
	}
	switch part.end = e.At; e.Kind {
	case sluice.StepFailed, sluice.StepUndoFailed, sluice.StepFinishFailed:
		part.failure = e.Failure.Message
		part.attrs = append(part.attrs, attribute.String("sluice.code", string(e.Failure.Code)))
	case sluice.StepRetrying:
		part.notes = append(part.notes, note{"retrying: " + string(e.Failure.Code), e.At})
	case sluice.StepSkipped:
		part.attrs = append(part.attrs, attribute.Bool("sluice.skipped", true))
	}
}

// enter begins the span of a step in that of its target.
func (s *story) enter(name string, e sluice.Event) *span {
	step := s.steps[e.Step]
	target := s.targets[step.Target]
	if target == nil {
		target = &span{name: "target " + step.Target, start: e.At, attrs: []attribute.KeyValue{
			attribute.String("sluice.target", step.Target),
		}}
		s.targets[step.Target] = target
		s.root.parts = append(s.root.parts, target)
	}
	part := &span{name: name, start: e.At, attrs: []attribute.KeyValue{
		attribute.String("sluice.target", step.Target), attribute.String("sluice.step", string(e.Step)),
		attribute.String("sluice.kind", string(step.Kind)),
	}}
	s.open[name] = part
	target.parts = append(target.parts, part)
	return part
}

// close ends targets with the last of their steps.
func (s *story) close() {
	for _, t := range s.targets {
		last := slices.MaxFunc(t.parts, func(a, b *span) int { return a.end.Compare(b.end) })
		t.end = last.end
		for _, p := range t.parts {
			if p.failure != "" && t.failure == "" {
				t.failure = p.failure
			}
		}
	}
}
