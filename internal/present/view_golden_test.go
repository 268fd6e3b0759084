package present

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

var update = flag.Bool("update", false, "write what is drawn into the golden files")

// release has a target that is done and one with every kind of step that a person waits for.
func release() sluice.Event {
	p := &sluice.Plan{Application: "shop", Targets: []sluice.PlannedTarget{
		{Name: "staging", AfterFailure: "rollBack"}, {Name: "production", AfterFailure: "rollBack"},
	}}
	add := func(target, id string, phase sluice.Phase, spec sluice.StepSpec) {
		p.Steps = append(p.Steps, sluice.PlannedStep{
			ID: sluice.StepID(target + "/" + id), Target: target, Phase: phase, StepSpec: spec,
		})
	}
	add("staging", "apply", sluice.PhaseApply, sluice.StepSpec{Kind: sluice.KindApply, Apply: &sluice.Apply{}})
	add("production", "before/0", sluice.PhaseBefore, sluice.StepSpec{
		Kind: sluice.KindCheckpointData, CheckpointData: &sluice.CheckpointData{Dataset: "orders"}})
	add("production", "apply", sluice.PhaseApply, sluice.StepSpec{
		Kind: sluice.KindApply, Apply: &sluice.Apply{Canary: true}})
	add("production", "canary/0", sluice.PhaseCanary, sluice.StepSpec{
		Kind: sluice.KindSetWeight, SetWeight: &sluice.SetWeight{Weight: 25}})
	add("production", "canary/1", sluice.PhaseCanary, sluice.StepSpec{
		Kind: sluice.KindAnalysis, Analysis: &sluice.Analysis{Queries: []string{"errors", "slow answers"}, Runs: 3,
			Interval: time.Minute}})
	add("production", "canary/2", sluice.PhaseCanary, sluice.StepSpec{
		Name: "look at the graphs", Kind: sluice.KindPause, Pause: &sluice.Pause{UntilApproved: true}})
	add("production", "promote", sluice.PhasePromote, sluice.StepSpec{
		Kind: sluice.KindPromote, Promote: &sluice.Promote{}})
	return sluice.Event{Kind: sluice.DeploymentStarted, Plan: p, Actor: &sluice.Actor{Name: "ada"}}
}

func starts(id sluice.StepID) sluice.Event {
	return sluice.Event{Kind: sluice.StepStarting, Step: id, Progress: &sluice.Progress{}}
}

func finished(id sluice.StepID) []sluice.Event {
	return []sluice.Event{{Kind: sluice.StepFinishing, Step: id}, {Kind: sluice.StepFinished, Step: id}}
}

// brought is the release until its canary runs.
func brought() []sluice.Event {
	events := []sluice.Event{release()}
	events = append(events, done("staging/apply", "ready", nil)...)
	events = append(events, finished("staging/apply")...)
	events = append(events, done("production/before/0", "1,204 documents, 3.1 MiB", nil)...)
	events = append(events, done("production/apply", "ready", nil, created...)...)
	return append(events, done("production/canary/0", "1 of 4 pods of Deployment/web are new: 25 %", nil)...)
}

func waitingScene() []sluice.Event {
	events := append(brought(), done("production/canary/1", "3 of 3 intervals are good", nil)...)
	return append(events, starts("production/canary/2"), sluice.Event{
		Kind: sluice.StepProgressed, Step: "production/canary/2", Progress: &sluice.Progress{
			State: sluice.Waiting, Wait: &sluice.Wait{Signals: []string{sluice.SignalApprove, sluice.SignalReject}},
		}})
}

func pausedScene() []sluice.Event {
	return append(brought(), sluice.Event{Kind: sluice.SignalReceived, Signal: &sluice.Signal{
		Kind: sluice.SignalPause, By: sluice.Actor{Name: "ada"}, Reason: "the graphs look odd"}})
}

func failingScene() []sluice.Event {
	return append(brought(), starts("production/canary/1"), sluice.Event{
		Kind: sluice.StepFailed, Step: "production/canary/1", Failure: &sluice.Failure{
			Message: "Deployment/web: pod web-canary-7d4b9c-x2x8k crashed while a step waited: it ended with status 3 " +
				"(restarts: 1)\nopening the orders\nno more coffee: the connection to mongodb://mongo:27017/shop was refused",
			Hint: "look at the whole log with: sluice logs --pod production/web-canary-7d4b9c-x2x8k",
		}})
}

func undoingScene() []sluice.Event {
	return append(failingScene(),
		sluice.Event{Kind: sluice.StepUndoing, Step: "production/canary/1"},
		sluice.Event{Kind: sluice.StepUndone, Step: "production/canary/1"},
		sluice.Event{Kind: sluice.StepUndoing, Step: "production/canary/0"},
		sluice.Event{Kind: sluice.StepUndone, Step: "production/canary/0"},
		sluice.Event{Kind: sluice.StepUndoing, Step: "production/apply", Progress: &sluice.Progress{
			Message: "Deployment/web-canary: 2 of 4 pods still to end"}})
}

func doneScene() []sluice.Event {
	events := append(brought(), done("production/canary/1", "3 of 3 intervals are good", nil)...)
	events = append(events, sluice.Event{Kind: sluice.StepSkipped, Step: "production/canary/2", Signal: &sluice.Signal{
		Kind: sluice.SignalPromote, By: sluice.Actor{Name: "ada"}, Reason: "hotfix"}})
	events = append(events, done("production/promote", "the new version runs in place of the old one", nil)...)
	for _, id := range []sluice.StepID{"before/0", "apply", "canary/0", "canary/1", "promote"} {
		events = append(events, finished("production/"+id)...)
	}
	return append(events, sluice.Event{Kind: sluice.DeploymentEnded, Outcome: sluice.StatusSucceeded})
}

func undoneScene() []sluice.Event {
	events := append(undoingScene(), sluice.Event{Kind: sluice.StepUndone, Step: "production/apply"},
		sluice.Event{Kind: sluice.StepUndone, Step: "production/before/0"})
	return append(events, sluice.Event{Kind: sluice.DeploymentEnded, Outcome: sluice.StatusRolledBack})
}

// What a terminal shows of each scene, 44, 80, 100 and 200 columns wide. No line is wider, and nothing is cut off.
func TestTreeAtEveryWidth(t *testing.T) {
	for name, events := range map[string][]sluice.Event{
		"waiting": waitingScene(), "failing": failingScene(), "undoing": undoingScene(), "undone": undoneScene(),
		"done": doneScene(), "paused": pausedScene(),
	} {
		f := &film{state: engine.State{ID: "1a21fc53514-ffee59c2"}}
		f.shoot(events...)
		var drawn txtar.Archive
		for _, width := range []int{44, 80, 100, 200} {
			m := model{styles: NewStyles(&bytes.Buffer{}), shot: snap(&f.state, nil, nil), width: width, height: 60,
				now: time.Unix(int64(f.seq)+5, 0)}
			drawn.Files = append(drawn.Files, txtar.File{Name: fmt.Sprint(width), Data: []byte(m.View())})
			for line := range strings.SplitSeq(m.View(), "\n") {
				if ansi.StringWidth(line) > width || strings.Contains(line, "…") {
					t.Errorf("%s: more than %d columns, or cut off: %s", name, width, line)
				}
			}
		}
		compare(t, filepath.Join("testdata", "view", name+".txtar"), txtar.Format(&drawn))
	}
}

func compare(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got); -update writes it:\n%s", file, diff)
	}
}

// The keys of the view are explained on request, and nothing else happens.
func TestLiveViewExplainsItsKeys(t *testing.T) {
	f := &film{state: engine.State{ID: "d1"}}
	f.shoot(waitingScene()...)
	choices := make(chan Choice, 1)
	m := model{styles: NewStyles(&bytes.Buffer{}), choices: choices, shot: snap(&f.state, nil, nil), width: 44, height: 60}
	if view := m.View(); !strings.Contains(view, "?: help") {
		t.Errorf("it does not offer help:\n%s", view)
	}
	for _, key := range []string{"?", "esc"} {
		m = m.key("?")
		for _, part := range []string{"approve the only step that waits", "PgUp PgDn", "Ctrl-C"} {
			if !strings.Contains(m.View(), part) {
				t.Errorf("the help lacks %q:\n%s", part, m.View())
			}
		}
		if m = m.key(key); strings.Contains(m.View(), "PgUp") {
			t.Errorf("%s does not close the help:\n%s", key, m.View())
		}
	}
	if m = m.key("?").key("q"); m.asking != whetherToStop || len(choices) > 0 {
		t.Error("q does not ask while the help is shown")
	}
}

// Another width draws on an empty screen: the terminal has broken or joined the lines that were there. The first size
// does not, because it would take away what the user typed.
func TestResizeDrawsAnew(t *testing.T) {
	var m tea.Model = model{width: 100, height: 40}
	for i, size := range []struct {
		width  int
		redraw bool
	}{{100, false}, {100, false}, {60, true}, {61, true}} {
		var cmd tea.Cmd
		m, cmd = m.Update(tea.WindowSizeMsg{Width: size.width, Height: 40 + i})
		redraw := cmd != nil && cmd() == tea.ClearScreen()
		if redraw != size.redraw {
			t.Errorf("%d columns: drawn anew: %v", size.width, redraw)
		}
	}
}
