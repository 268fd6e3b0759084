package notify_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/cdevents/sdk-go/pkg/api"
	cdevents "github.com/cdevents/sdk-go/pkg/api/v04"
	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/notify"
)

// told returns the CloudEvents that a receiver gets for what the store has.
func told(t *testing.T, w *world, change func(*config.Receiver), many int) (events []event.Event) {
	t.Helper()
	to := newReceiver(t)
	receiver := hookTo("hook", to.URL)
	if change != nil {
		change(&receiver)
	}
	w.known("hook")
	stop := w.run(w.reader(receiver))
	taken := to.wait(t, many)
	w.append("last", started("last"))
	if receiver.Applications == nil {
		taken = to.wait(t, many+1)[:many]
	}
	stop()
	for _, q := range taken {
		var e event.Event
		if err := json.Unmarshal(q.body, &e); err != nil {
			t.Fatal(err)
		}
		if err := e.Validate(); err != nil {
			t.Error(err)
		}
		if q.header.Get("Content-Type") != "application/cloudevents+json; charset=utf-8" {
			t.Errorf("the content is %s", q.header.Get("Content-Type"))
		}
		events = append(events, e)
	}
	return events
}

func types(events []event.Event) (all []string) {
	for _, e := range events {
		all = append(all, e.ID()+" "+strings.TrimPrefix(e.Type(), notify.TypePrefix))
	}
	return all
}

// life is everything that can be told of deployments.
func life(w *world) (want []string) {
	approve := sluice.Signal{
		Kind: sluice.SignalApprove, Step: "staging/before/0", By: sluice.Actor{Name: "bea"}, Reason: "looks good",
	}
	pause := sluice.Signal{Kind: sluice.SignalPause, By: sluice.Actor{Name: "bea"}}
	resume := pause
	resume.Kind = sluice.SignalContinue
	failed := stepEvent(sluice.StepFailed, "production")
	failed.Failure = &sluice.Failure{
		Code: sluice.Failed, Message: "Deployment/web is not ready\npod web-1: SELECT * FROM customers", Hint: "look\nhush",
		Result: &sluice.Result{Verification: &sluice.Verification{}},
	}
	undo := stepEvent(sluice.StepUndoFailed, "production")
	undo.Failure = &sluice.Failure{Code: sluice.Unavailable, Message: "the cluster hush is away"}
	left := stepEvent(sluice.StepFinishFailed, "staging")
	left.Failure = &sluice.Failure{Code: sluice.Denied, Message: "a canary is left"}
	w.append("a", started("shop"),
		stepEvent(sluice.StepStarting, "staging"), waits("staging"), waits("staging"),
		sluice.Event{Kind: sluice.SignalReceived, Signal: &approve}, stepEvent(sluice.StepDone, "staging"),
		sluice.Event{Kind: sluice.SignalReceived, Signal: &pause},
		sluice.Event{Kind: sluice.SignalReceived, Signal: &resume},
		stepEvent(sluice.StepStarting, "production"), failed,
		stepEvent(sluice.StepUndoing, "production"), stepEvent(sluice.StepUndoing, "production"), undo,
		stepEvent(sluice.StepFinishing, "staging"), left, ended(sluice.StatusFailed))
	w.append("a", sluice.Event{Kind: sluice.DeploymentReopened, Actor: &sluice.Actor{Name: "bea"}},
		stepEvent(sluice.StepUndoing, "production"), stepEvent(sluice.StepUndone, "production"),
		ended(sluice.StatusRolledBack))
	queued := started("shop")
	queued.Kind = sluice.DeploymentQueued
	w.append("b", queued)
	w.append("c", queued, sluice.Event{Kind: sluice.DeploymentStarted}, ended(sluice.StatusCancelled))
	return []string{
		"a/1 deployment.started", "a/3 step.waiting", "a/5 step.decided", "a/7 deployment.paused",
		"a/8 deployment.continued", "a/10 step.failed", "a/11 target.rollingBack", "a/13 step.undoFailed",
		"a/15 step.finishFailed", "a/16 deployment.failed", "a/17 deployment.reopened", "a/20 deployment.rolledBack",
		"b/1 deployment.queued", "b/2 deployment.overtaken", "c/1 deployment.queued", "c/2 deployment.started",
		"c/3 deployment.cancelled",
	}
}

func TestEventsAreTold(t *testing.T) {
	w := newWorld(t)
	want := life(w)
	got := told(t, w, nil, len(want))
	if diff := cmp.Diff(want, types(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	wantData(t, got)
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	for _, hidden := range []string{"customers", "hush", "hidden", "second line", "erification"} {
		if strings.Contains(string(text), hidden) {
			t.Errorf("the events have %q", hidden)
		}
	}
}

// wantData compares two events with what they have to say, and all with the schema.
func wantData(t *testing.T, events []event.Event) {
	t.Helper()
	wanted := map[string]notify.Data{
		"a/3": {
			Deployment: "a", Application: "shop", Seq: 3, Status: sluice.StatusRunning,
			Targets: []string{"staging", "production"}, StartedBy: "ana", Target: "staging", Step: "staging/before/0",
			StepKind: sluice.KindPause,
			Message:  "look at the dashboard", Roles: []string{"release-manager"}, URL: address + "/deployments/a",
		},
		"a/10": {
			Deployment: "a", Application: "shop", Seq: 10, Status: sluice.StatusRollingBack,
			Targets: []string{"staging", "production"}, StartedBy: "ana", Target: "production", Step: "production/before/0",
			StepKind: sluice.KindPause, URL: address + "/deployments/a",
			Failure: &notify.Failure{Code: sluice.Failed, Message: "Deployment/web is not ready", Hint: "look"},
		},
	}
	schema := compiled(t)
	for _, e := range events {
		var got notify.Data
		var plain any
		if err := e.DataAs(&got); err != nil {
			t.Fatal(err)
		}
		if err := e.DataAs(&plain); err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(plain); err != nil {
			t.Errorf("%s does not conform: %v", e.ID(), err)
		}
		if want, ok := wanted[e.ID()]; ok {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", e.ID(), diff)
			}
		}
		if e.Source() != address || e.Subject() != string(got.Deployment) || e.DataSchema() != notify.Schema {
			t.Errorf("%s: source %s, subject %s, schema %s", e.ID(), e.Source(), e.Subject(), e.DataSchema())
		}
	}
}

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	file, err := os.Open("../../schema/notification.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	text, err := jsonschema.UnmarshalJSON(file)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(notify.Schema, text); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(notify.Schema)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// A reader that begins anywhere says the same as one that read everything.
func TestAReaderThatBeginsInTheMiddleSaysTheSame(t *testing.T) {
	w := newWorld(t)
	want := life(w)
	newest, err := w.Newest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for from := range newest {
		var rest []string // of what was told by then
		for c := range w.Tail(t.Context(), from) {
			for _, line := range want {
				if strings.HasPrefix(line, string(c.Deployment)+"/"+itoa(c.Event.Seq)+" ") {
					rest = append(rest, line)
				}
			}
			if c.Cursor == newest {
				break
			}
		}
		got := w.tellFrom(from, len(rest))
		if diff := cmp.Diff(rest, got); diff != "" {
			t.Fatalf("from %d (-want +got):\n%s", from, diff)
		}
	}
}

// tellFrom returns what another receiver is told that has come to the cursor.
func (w *world) tellFrom(from sluice.Cursor, many int) []string {
	name := "from" + itoa(from)
	to := newReceiver(w.t)
	if err := w.PutCursor(w.t.Context(), "notifications/"+name, from); err != nil {
		w.t.Fatal(err)
	}
	stop := w.run(w.reader(hookTo(name, to.URL)))
	defer stop()
	var events []event.Event
	for _, q := range to.wait(w.t, many) {
		var e event.Event
		if err := json.Unmarshal(q.body, &e); err != nil {
			w.t.Fatal(err)
		}
		events = append(events, e)
	}
	return types(events)
}

func TestAReceiverChooses(t *testing.T) {
	w := newWorld(t)
	life(w)
	w.append("d", started("shop-admin"), ended(sluice.StatusSucceeded))
	rehearsed := started("shop-eu")
	rehearsed.Plan.Rehearsal = &sluice.Rehearsal{}
	w.append("e", rehearsed, ended(sluice.StatusSucceeded))
	w.append("f", started("shop-us"))
	got := told(t, w, func(to *config.Receiver) { to.Applications = []string{"shop-*"} }, 3)
	want := []string{"d/1 deployment.started", "d/2 deployment.succeeded", "f/1 deployment.started"}
	if diff := cmp.Diff(want, types(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	w = newWorld(t)
	life(w)
	got = told(t, w, func(to *config.Receiver) {
		to.Events = []sluice.NotificationKind{sluice.NotifyWaiting, sluice.NotifyStarted, sluice.NotifyCancelled}
	}, 4)
	want = []string{"a/1 deployment.started", "a/3 step.waiting", "c/2 deployment.started", "c/3 deployment.cancelled"}
	if diff := cmp.Diff(want, types(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// asSpecified fails unless the data of the event has the form that CDEvents specifies for its type.
func asSpecified(t *testing.T, e event.Event) {
	t.Helper()
	cd, err := cdevents.NewFromJsonBytes(e.Data())
	if err != nil {
		t.Fatalf("%s: %v", e.ID(), err)
	}
	_, schema, err := cd.GetSchema()
	if err != nil {
		t.Fatal(err)
	}
	data, err := jsonschema.UnmarshalJSON(bytes.NewReader(e.Data()))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(schema.Validate(data), api.Validate(cd)); err != nil {
		t.Errorf("%s: %v\n%s", e.ID(), err, e.Data())
	}
	if cd.GetVersion() != "0.4.1" || cd.GetType().String() != e.Type() {
		t.Errorf("%s: version %s of %s", e.Type(), cd.GetVersion(), cd.GetType())
	}
}

// Where CDEvents has a type, a receiver that wants it gets it; what Sluice says besides is its custom data.
func TestCDEvents(t *testing.T) {
	w := newWorld(t)
	want := life(w)
	got := told(t, w, func(to *config.Receiver) { to.Webhook.Format = config.FormatCDEvents }, len(want))
	outcomes := map[string]string{}
	for _, e := range got {
		kind, isCD := strings.CutPrefix(e.Type(), "dev.cdevents.pipelinerun.")
		if !isCD {
			continue
		}
		var d struct {
			Context struct{ Version, ID, Source, Type string }
			Subject struct {
				ID, Type string
				Content  struct{ PipelineName, URL, Outcome string }
			}
			CustomData notify.Data
		}
		if err := e.DataAs(&d); err != nil {
			t.Fatal(err)
		}
		asSpecified(t, e)
		if d.Context.ID != e.ID() || d.Context.Type != e.Type() || d.Context.Version == "" || d.Context.Source != address {
			t.Errorf("context %+v of %s", d.Context, e.ID())
		}
		if d.Subject.Type != "pipelineRun" || d.Subject.Content.PipelineName != "shop" || d.Subject.Content.URL == "" ||
			d.CustomData.Deployment != sluice.DeploymentID(d.Subject.ID) {
			t.Errorf("subject %+v of %s", d.Subject, e.ID())
		}
		outcomes[e.ID()] = kind + " " + d.Subject.Content.Outcome
	}
	wanted := map[string]string{
		"a/1": "started.0.2.0 ", "a/16": "finished.0.2.0 failure", "a/20": "finished.0.2.0 failure",
		"b/1": "queued.0.2.0 ", "b/2": "finished.0.2.0 error", "c/1": "queued.0.2.0 ", "c/2": "started.0.2.0 ",
		"c/3": "finished.0.2.0 error",
	}
	if diff := cmp.Diff(wanted, outcomes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
