package present

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// A film is a deployment with the views that show it.
type film struct {
	state engine.State
	views []View
	seq   sluice.Seq
}

// shoot applies and shows the events, a second apart.
func (f *film) shoot(events ...sluice.Event) {
	for _, e := range events {
		f.seq++
		e.Seq, e.At = f.seq, time.Unix(int64(f.seq), 0)
		f.state.Apply(e)
		for _, v := range f.views {
			v.Show(&f.state, engine.Update{Event: &e})
		}
	}
}

func done(id sluice.StepID, message string, r *sluice.Result, changes ...sluice.Change) []sluice.Event {
	return []sluice.Event{
		{Kind: sluice.StepStarting, Step: id, Progress: &sluice.Progress{}},
		{Kind: sluice.StepDone, Step: id, Progress: &sluice.Progress{
			State: sluice.Done, Message: message, Result: r, Changes: changes,
		}},
	}
}

// rollout is a target with a weight, a pause, promotion, and two steps after it.
func rollout() sluice.Event {
	p := &sluice.Plan{Application: "shop", Targets: []sluice.PlannedTarget{{Name: "prod", AfterFailure: "rollBack"}}}
	pause := &sluice.Pause{Duration: time.Minute}
	for _, s := range []sluice.PlannedStep{
		{ID: "prod/apply", Phase: sluice.PhaseApply, StepSpec: sluice.StepSpec{
			Kind: sluice.KindApply, Apply: &sluice.Apply{Canary: true}}},
		{ID: "prod/canary/0", Phase: sluice.PhaseCanary, StepSpec: sluice.StepSpec{
			Kind: sluice.KindSetWeight, SetWeight: &sluice.SetWeight{Weight: 25}}},
		{ID: "prod/canary/1", Phase: sluice.PhaseCanary, StepSpec: sluice.StepSpec{
			Kind: sluice.KindPause, Pause: pause}},
		{ID: "prod/promote", Phase: sluice.PhasePromote, StepSpec: sluice.StepSpec{
			Kind: sluice.KindPromote, Promote: &sluice.Promote{}}},
		{ID: "prod/after/0", Phase: sluice.PhaseAfter, StepSpec: sluice.StepSpec{Kind: sluice.KindPause, Pause: pause}},
		{ID: "prod/after/1", Phase: sluice.PhaseAfter, StepSpec: sluice.StepSpec{Kind: sluice.KindPause, Pause: pause}},
	} {
		s.Target = "prod"
		p.Steps = append(p.Steps, s)
	}
	return sluice.Event{Kind: sluice.DeploymentStarted, Plan: p, Actor: &sluice.Actor{Name: "ada"}}
}

var created = []sluice.Change{
	{Object: "Deployment/web", Outcome: sluice.Created}, {Object: "Service/web", Outcome: sluice.Created},
}

// The live view leaves the whole tree behind, also on a terminal that is too small for it.
func TestLiveViewLeavesTheWholeTree(t *testing.T) {
	var out bytes.Buffer
	live := NewLiveView(strings.NewReader(""), &out, NewStyles(&bytes.Buffer{}), false)
	f := &film{state: engine.State{ID: "d1"}, views: []View{live}}
	f.shoot(rollout())
	f.shoot(done("prod/apply", "ready", nil, created...)...)
	if err := live.Close(); err != nil {
		t.Fatal(err)
	}
	end := out.String()[strings.LastIndex(out.String(), "shop d1"):]
	if !strings.Contains(end, "✓ apply") || !strings.Contains(end, "after/1") || strings.Contains(end, "Ctrl-C") {
		t.Errorf("it leaves:\n%s", end)
	}
}

func plain(events ...sluice.Event) string {
	var out bytes.Buffer
	f := &film{state: engine.State{ID: "d1"}, views: []View{NewPlainView(&out, false)}}
	f.shoot(events...)
	return out.String()
}

func TestFirstReleaseIsShort(t *testing.T) {
	events := []sluice.Event{rollout()}
	events = append(events, done("prod/apply", "as declared", &sluice.Result{First: true}, created...)...)
	events = append(events, done("prod/canary/0", "there is no canary", nil)...)
	events = append(events, done("prod/canary/1", "left out", nil)...)
	events = append(events, done("prod/promote", "there is no canary", nil)...)
	want := `    0.0s  deployment d1 of shop started by ada: prod
    1.0s  prod/apply  starts: apply beside the old version none
    2.0s  prod/apply  2 objects created
    2.0s  prod/apply  done in 1.0s: as declared
    2.0s  prod/apply  the first release goes straight to 100 %, without 1 weight and 1 gate of its strategy
`
	if diff := cmp.Diff(want, plain(events...)); diff != "" {
		t.Error(diff)
	}
}

// A log of plain lines shows each value that was measured once, and what it means.
func TestPlainLinesShowWhatWasMeasured(t *testing.T) {
	low, high := 0.01, 0.262
	judged := func(samples ...sluice.Sample) *sluice.Result {
		return &sluice.Result{Judgment: &sluice.Judgment{Verdict: sluice.Bad, Samples: samples}}
	}
	first := sluice.Sample{Query: "errors", Value: &low, Verdict: sluice.Good}
	second := sluice.Sample{Query: "errors", Value: &high, Verdict: sluice.Bad, Reason: "0.262 is above 0.1"}
	progress := func(r *sluice.Result) sluice.Event {
		return sluice.Event{Kind: sluice.StepProgressed, Step: "prod/canary/1",
			Progress: &sluice.Progress{State: sluice.Running, Result: r}}
	}
	got := plain(rollout(),
		sluice.Event{Kind: sluice.StepStarting, Step: "prod/canary/1", Progress: &sluice.Progress{}},
		progress(judged(first)), progress(judged(first, second)),
		sluice.Event{Kind: sluice.StepFailed, Step: "prod/canary/1",
			Failure: &sluice.Failure{Message: "bad", Result: judged(first, second)}})
	for _, want := range []string{
		"prod/canary/1  errors: 0.01: good\n", "prod/canary/1  errors: 0.262 is above 0.1: bad\n",
	} {
		if strings.Count(got, want) != 1 {
			t.Errorf("%q is not printed once:\n%s", want, got)
		}
	}
}

// A pod that ends two waits is reported once, and the summary does not repeat it.
func TestFaultIsPrintedOnce(t *testing.T) {
	crash := &sluice.Failure{Message: "Deployment/web: pod web-1 crashed\nno more coffee", Hint: "look at the log"}
	var out bytes.Buffer
	f := &film{state: engine.State{ID: "d1"}, views: []View{NewPlainView(&out, false)}}
	f.shoot(rollout())
	for _, id := range []sluice.StepID{"prod/after/0", "prod/after/1"} {
		f.shoot(sluice.Event{Kind: sluice.StepStarting, Step: id, Progress: &sluice.Progress{}})
	}
	for _, id := range []sluice.StepID{"prod/after/0", "prod/after/1"} {
		f.shoot(sluice.Event{Kind: sluice.StepFailed, Step: id, Failure: crash})
	}
	Summary{Out: &out, State: &f.state, Told: true, Styles: NewStyles(&bytes.Buffer{})}.Print()
	for _, once := range []string{"no more coffee", "web-1 crashed", "look at the log"} {
		if strings.Count(out.String(), once) != 1 {
			t.Errorf("%q is not printed once:\n%s", once, out.String())
		}
	}
	for _, said := range []string{
		"prod/after/1  failed for the same reason as prod/after/0", "prod/after/1 failed at 4.0s, as printed above",
	} {
		if !strings.Contains(out.String(), said) {
			t.Errorf("it does not say %q:\n%s", said, out.String())
		}
	}
}

// A pod that crashes while its workload is awaited is printed at once, and its last words once, also if it goes on
// crashing until the step fails.
func TestCrashIsPrintedAtOnce(t *testing.T) {
	var out bytes.Buffer
	v := NewPlainView(&out, false)
	v.now = func() time.Time { return time.Unix(2, 0) }
	f := &film{state: engine.State{ID: "d1"}, views: []View{v}}
	f.shoot(rollout(), sluice.Event{Kind: sluice.StepStarting, Step: "prod/apply", Progress: &sluice.Progress{}})
	words := "\npod web-1 crashed: it ended with status 3 (restarts: 1)\n  no more coffee"
	for _, ready := range []string{"", words, words} {
		v.Show(&f.state, engine.Update{Step: "prod/apply", Progress: &sluice.Progress{
			Message: "Deployment/web: 0 of 1 replicas ready" + ready}})
	}
	if !strings.Contains(out.String(), "prod/apply  pod web-1 crashed: it ended with status 3 (restarts: 1)") {
		t.Errorf("the crash is not printed at once:\n%s", out.String())
	}
	out.Reset()
	f.shoot(sluice.Event{Kind: sluice.StepFailed, Step: "prod/apply", Failure: &sluice.Failure{
		Message: "Deployment/web cannot become ready: it crashed 5 times\npod web-1: restarts: 5\n  no more coffee",
		Hint:    "look at it"}})
	want := "    2.0s  prod/apply  failed: Deployment/web cannot become ready: it crashed 5 times\n" +
		"    pod web-1: restarts: 5\n    2.0s  prod/apply  hint: look at it\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("what the pod said is not printed once (-want +got):\n%s", diff)
	}
}

// Progress that says nothing new is not printed again.
func TestProgressIsPrintedOnce(t *testing.T) {
	var out bytes.Buffer
	v := NewPlainView(&out, false)
	now := time.Unix(1000, 0)
	v.now = func() time.Time { return now }
	f := &film{state: engine.State{ID: "d1"}, views: []View{v}}
	f.shoot(rollout(), sluice.Event{Kind: sluice.StepStarting, Step: "prod/apply", Progress: &sluice.Progress{}})
	for _, text := range []string{"0 of 4 ready", "0 of 4 ready", "1 of 4 ready"} {
		now = now.Add(time.Minute)
		v.Show(&f.state, engine.Update{Step: "prod/apply", Progress: &sluice.Progress{Message: text}})
	}
	if got := strings.Count(out.String(), "of 4 ready"); got != 2 {
		t.Errorf("%d lines of progress:\n%s", got, out.String())
	}
}
