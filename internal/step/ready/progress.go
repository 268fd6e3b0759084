package ready

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/sluice-cd/sluice"
)

// A progress ends a wait when a canary gets no further for as long as its progressDeadlineSeconds says. The controller
// of Deployments does not watch that for a canary, which is paused.
type progress struct {
	end     context.CancelCauseFunc
	reached map[string]string
	timers  map[string]*time.Timer
}

// defaultProgress is the progressDeadlineSeconds of a Deployment that names none.
const defaultProgress = 600

// progressDeadline is the annotation of a canary with the progressDeadlineSeconds that its wait observes.
const progressDeadline = "sluice-cd.github.io/progress-deadline-seconds"

// NoDeadline is the progressDeadlineSeconds of a Deployment whose progress its controller does not watch. Then a pause
// costs no writes: the controller notes one, and its end, only where it watches the progress.
const NoDeadline = int64(math.MaxInt32)

// TakeDeadline leaves the progress of the canary to those who wait for it.
func TakeDeadline(canary sluice.Object) {
	limit := canary.Number(defaultProgress, "spec", "progressDeadlineSeconds")
	canary.Set(strconv.Itoa(limit), "metadata", "annotations", progressDeadline)
	canary.Set(NoDeadline, "spec", "progressDeadlineSeconds")
}

// deadlineOf returns how long the canary may make no progress.
func deadlineOf(canary sluice.Object) time.Duration {
	limit, err := strconv.Atoi(canary.Text("metadata", "annotations", progressDeadline))
	if err != nil { // an earlier version of Sluice brought it
		limit = canary.Number(defaultProgress, "spec", "progressDeadlineSeconds")
	}
	return time.Duration(limit) * time.Second
}

// A stuckError says which canary gets no further.
type stuckError struct {
	name  string
	limit time.Duration
}

func (e stuckError) Error() string {
	return fmt.Sprintf("%s makes no progress for %s", e.name, e.limit)
}

func newProgress(end context.CancelCauseFunc) *progress {
	return &progress{end: end, reached: map[string]string{}, timers: map[string]*time.Timer{}}
}

// saw notes the state of a Deployment. Other objects have controllers that watch their progress, or none.
func (p *progress) saw(o sluice.Object) {
	if o.Text("kind") != "Deployment" || o.Text("metadata", "labels", sluice.TrackLabel) != sluice.TrackCanary {
		return
	}
	name := o.Text("metadata", "name")
	now := fmt.Sprint(o.Number(0, "spec", "replicas"), o.Number(0, "status", "updatedReplicas"),
		o.Number(0, "status", "readyReplicas"), o.Number(0, "status", "availableReplicas"))
	if now == p.reached[name] {
		return
	}
	p.reached[name] = now
	limit := deadlineOf(o)
	p.done(name)
	p.timers[name] = time.AfterFunc(limit, func() { p.end(stuckError{name, limit}) })
}

// done says that the object is ready.
func (p *progress) done(name string) {
	if t := p.timers[name]; t != nil {
		t.Stop()
	}
}

// stop ends the watch over all objects.
func (p *progress) stop() {
	for name := range p.timers {
		p.done(name)
	}
}
