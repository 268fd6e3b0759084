package present

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/charmbracelet/lipgloss"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/deployfile"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/manifest"
	"github.com/sluice-cd/sluice/internal/plan"
)

// hostile are pieces of text that deceive a reader or drive a terminal.
var hostile = []string{
	"\x1b[31m", "\x1b[2J", "\x1b]0;title\a", "\x1b]8;;http://x\x1b\\", "\x1b", "\x00", "\b\b\b", "\r", "\x7f", "\v\f",
	"\x9b31m", "\u009b31m", "\u0085", "\u202e", "\u2066", "\u2069", "\u200e", "\u200f", "\u061c", "\u2028", "\u2029",
	"\u200b", "\u2060", "\ufeff", "\u00ad", "\u3164", "\U000e0041", "\xff", "\xc3", "\xed\xa0\x80", "\ue000",
	"a\nproduction succeeded", "\t", "plain", "größer", "漢字", "%s",
}

// unseen names the first character of the text that must never come out, "" if there is none.
func unseen(text string) string {
	if !utf8.ValidString(text) {
		return "invalid UTF-8"
	}
	for _, r := range text {
		if r != '\n' && r != '\t' && !isSeen(r) {
			return fmt.Sprintf("%U", r)
		}
	}
	return ""
}

// styling matches what our own styles write on a terminal with colours.
var styling = regexp.MustCompile(`\x1b\[(?:0|1|2|31|32|36)?m`)

func branchOf(text string) sluice.Branch {
	return sluice.Branch{Name: text, Account: text, Namespace: text, Application: text, Dataset: text, Target: text,
		Checkpoint: sluice.CheckpointID(text), Masked: []string{text}, URI: "mongodb://" + text, Owner: text}
}

// places is everywhere that text from outside is shown. Each writes a deployment, or findings, whose every text is
// hostile.
var places = map[string]func(w io.Writer, st Styles, text string) error{
	"a summary": func(w io.Writer, st Styles, text string) error {
		s, _ := spoiled(text)
		Summary{Out: w, State: s, Report: func(sluice.StepID) string { return text }, Styles: st}.Print()
		return nil
	},
	"the status": func(w io.Writer, st Styles, text string) error {
		s, _ := spoiled(text)
		return Summary{Out: w, State: s, Report: func(sluice.StepID) string { return text }, Styles: st}.Status()
	},
	"a list of deployments": func(w io.Writer, _ Styles, text string) error {
		s, _ := spoiled(text)
		return Table(w, Deployments([]Deployment{DeploymentOf(s, false)}))
	},
	"a list of branches": func(w io.Writer, _ Styles, text string) error {
		return Table(w, Branches([]sluice.Branch{branchOf(text)}))
	},
	"a branch": func(w io.Writer, _ Styles, text string) error {
		e := []sluice.Entrance{{Service: text, Port: 1}, {Service: text, Address: text}}
		return Branch(w, branchOf(text), e, config.Account{Context: text, Kubeconfig: text})
	},
	"the plain view": func(w io.Writer, _ Styles, text string) error {
		s, events := spoiled(text)
		v := NewPlainView(w, true)
		for _, e := range events {
			v.Show(s, engine.Update{Event: &e})
			v.Event(s, e)
			v.now = func() time.Time { return e.At.Add(time.Hour) }
			v.Show(s, engine.Update{Step: "s/0", Progress: &sluice.Progress{Message: text}})
		}
		return nil
	},
	"the live view": func(w io.Writer, st Styles, text string) error {
		s, events := spoiled(text)
		live := map[sluice.StepID]sluice.Progress{"s/0": *events[1].Progress}
		for _, height := range []int{4, 10, 100} {
			m := model{styles: st, shot: snap(s, live, nil), width: 80, height: height}
			if view := m.View(); strings.Count(view, "\n") > height {
				return fmt.Errorf("%d lines on a terminal of %d", strings.Count(view, "\n"), height)
			}
			fmt.Fprint(w, m.View())
		}
		return nil
	},
	"events as JSON": func(w io.Writer, _ Styles, text string) error {
		s, events := spoiled(text)
		v := NewJSONView(w)
		for _, e := range events {
			v.Show(s, engine.Update{Event: &e})
		}
		return v.Outcome(s, 1)
	},
	"a deployment as JSON": func(w io.Writer, _ Styles, text string) error {
		s, _ := spoiled(text)
		return JSON(w, "Deployment", DeploymentOf(s, true))
	},
	"a plan": func(w io.Writer, _ Styles, text string) error {
		s, _ := spoiled(text)
		previews := map[sluice.StepID]sluice.Preview{"s/0": {Notes: []string{text}, Changes: []sluice.Change{{Object: text,
			Outcome: sluice.Configured, Diff: text}}}}
		return errors.Join(plan.Tree(Escaped(w), s.Plan, previews), plan.Mermaid(Escaped(w), s.Plan),
			plan.Dot(Escaped(w), s.Plan))
	},
	"findings": func(w io.Writer, _ Styles, text string) error {
		Findings(w, found(text))
		return nil
	},
	"findings for GitHub": func(w io.Writer, _ Styles, text string) error { return GitHub(w, found(text)) },
	"findings as SARIF":   func(w io.Writer, _ Styles, text string) error { return SARIF(w, found(text)) },
	"rights that are missing": func(w io.Writer, _ Styles, text string) error {
		right := sluice.Right{Verb: text, Group: text, Resource: text, Namespace: text}
		return MissingRights(w, []sluice.MissingRight{{Account: text, Right: right}})
	},
	"an error": func(w io.Writer, st Styles, text string) error {
		err := sluice.Errorf(sluice.Failed, "it says %s", text).WithHint("type %s", text)
		return Printf(w, "%v %s %q %s\n", err, err.Hint, text, st.Bad.Render(text))
	},
	"output of a pod on a terminal": func(w io.Writer, _ Styles, text string) error {
		_, err := io.WriteString(Escaped(w), strings.ReplaceAll(text, "\n", " ")) // what it shows is one line of a pod
		return err
	},
}

var hostileFile = filepath.Join(os.TempDir(), fmt.Sprintf("sluice-hostile-%d.yaml", os.Getpid()))

// found are findings about a file with the text.
func found(text string) sluice.Diagnostics {
	_ = os.WriteFile(hostileFile, []byte(text+"\n"+text), 0o600) // without it there is no excerpt
	d := sluice.Diagnostic{Severity: sluice.SeverityError, Code: "x" + text, Message: text, Hint: text}
	at := d
	at.Pos = sluice.Position{File: hostileFile, Line: 1, Column: 1}
	return sluice.Diagnostics{d, at}
}

// spoiled is a deployment, and its events, in which every text is the given one.
func spoiled(text string) (*engine.State, []sluice.Event) {
	applies := sluice.StepSpec{Kind: sluice.KindApply, Apply: &sluice.Apply{}}
	targets := []sluice.PlannedTarget{{Name: "s", RollbackClass: "B"}, {Name: "t"}}
	p := &sluice.Plan{Targets: targets, Steps: []sluice.PlannedStep{
		{ID: "s/0", Target: "s", StepSpec: applies}, {ID: "s/1", Target: "s", StepSpec: applies},
		{ID: "s/2", Target: "s", StepSpec: applies}, {ID: "t/0", Target: "t", StepSpec: applies},
	}}
	p.Rehearsal = &sluice.Rehearsal{}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	waits := &sluice.Wait{Until: at, Signals: []string{sluice.SignalApprove, sluice.SignalCallback}}
	events := []sluice.Event{
		{Kind: sluice.DeploymentStarted, Plan: p},
		{Kind: sluice.StepProgressed, Step: "s/0", Progress: &sluice.Progress{State: sluice.Running}},
		{Kind: sluice.StepStarting, Step: "s/0"}, {Kind: sluice.StepStarting, Step: "s/1"},
		{Kind: sluice.StepStarting, Step: "s/2"},
		{Kind: sluice.SignalReceived, Signal: &sluice.Signal{Kind: sluice.SignalPause, Target: "t"}},
		{Kind: sluice.SignalReceived, Signal: &sluice.Signal{Kind: sluice.SignalContinue}},
		{Kind: sluice.SignalReceived}, {Kind: sluice.StepRetrying, Step: "s/0"}, {Kind: sluice.StepDone, Step: "s/0"},
		{Kind: sluice.StepFailed, Step: "s/1"}, {Kind: sluice.StepUndoFailed, Step: "s/1"},
		{Kind: sluice.StepFinishFailed, Step: "s/0"},
		{Kind: sluice.StepProgressed, Step: "s/2", Progress: &sluice.Progress{State: sluice.Waiting, Wait: waits}},
		{Kind: sluice.DeploymentEnded, Outcome: sluice.StatusFailed},
	}
	s := &engine.State{ID: sluice.DeploymentID("d" + text)}
	for i := range events {
		e := &events[i]
		e.Seq, e.At = sluice.Seq(i+1), at.Add(time.Duration(i)*time.Second)
		spoil(reflect.ValueOf(e).Elem(), text, true)
		s.Apply(*e)
	}
	return s, events
}

// spoil puts the text in every text below v that is empty. It makes what pointers and lists hold, except in a plan. It
// keeps words of a type of their own, which Sluice alone writes.
func spoil(v reflect.Value, text string, fill bool) {
	switch v.Kind() {
	case reflect.String:
		if v.Type() == reflect.TypeFor[string]() && v.String() == "" {
			v.SetString(text)
		}
	case reflect.Pointer:
		inPlan := v.Type() == reflect.TypeFor[*sluice.Plan]()
		if v.IsNil() && fill && !inPlan {
			v.Set(reflect.New(v.Type().Elem()))
		}
		if !v.IsNil() {
			spoil(v.Elem(), text, fill && !inPlan)
		}
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[json.RawMessage]() {
			return
		}
		if v.Len() == 0 && fill {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		}
		for i := range v.Len() {
			spoil(v.Index(i), text, fill)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				spoil(v.Field(i), text, fill)
			}
		}
	}
}

func colours() Styles {
	r := lipgloss.NewRenderer(io.Discard)
	r.SetColorProfile(2) // the colours of every terminal
	return stylesOf(r)
}

// TestNoPlaceShowsHostileText: only our own styling comes out, for every text.
func TestNoPlaceShowsHostileText(t *testing.T) {
	t.Cleanup(func() { _ = os.Remove(hostileFile) })
	rnd := rand.New(rand.NewPCG(1, 2))
	texts := append([]string{strings.Join(hostile, " x ")}, hostile...)
	for range 8 {
		text := ""
		for range 8 {
			text += hostile[rnd.IntN(len(hostile))]
		}
		texts = append(texts, text)
	}
	for name, show := range places {
		for _, text := range texts {
			for look, st := range map[string]Styles{"plain": NewStyles(io.Discard), "coloured": colours()} {
				var out bytes.Buffer
				if err := show(&out, st, text); err != nil {
					t.Errorf("%s of %q: %v", name, text, err)
				}
				got := out.String()
				if look == "coloured" {
					got = styling.ReplaceAllString(got, "")
				}
				if bad := unseen(got); bad != "" {
					t.Fatalf("%s, %s, of %q lets through %s: %q", name, look, text, bad, got)
				}
				if strings.Contains("\n"+got, "\nproduction succeeded") {
					t.Fatalf("%s of %q has a line that Sluice did not write: %s", name, text, got)
				}
			}
		}
	}
}

// TestParsersReportHostileText: what a parser says about a hostile file is as harmless.
func TestParsersReportHostileText(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file.yaml")
	parsers := map[string]func(text string) error{
		"a deploy file": func(text string) error { _, ds := deployfile.Parse(file, []byte(text)); return ds },
		"manifests":     func(text string) error { _, ds := manifest.Parse(file, []byte(text)); return ds },
		"sluice.yaml":   func(string) error { _, err := config.Load(file); return err },
	}
	for name, parse := range parsers {
		for _, piece := range hostile {
			for _, form := range []string{
				"%s", "version: v1\n%s: x\nkind: %s\n", "kind: \"%s\nx", "accounts: {%s: {type: %s}}", "- %s", "a: *%s",
			} {
				text := strings.ReplaceAll(form, "%s", piece)
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				var out bytes.Buffer
				err := parse(text)
				if ds, ok := errors.AsType[sluice.Diagnostics](err); ok {
					Findings(&out, ds)
				}
				if err != nil {
					Printf(&out, "%s %s\n", err, sluice.ErrorHint(err))
				}
				if bad := unseen(out.String()); bad != "" {
					t.Errorf("%s %q lets through %s: %q", name, text, bad, out.String())
				}
			}
		}
	}
}

func TestEscapeKeepsWhatIsSeen(t *testing.T) {
	for text, want := range map[string]string{
		"größer 漢字 👍 a\tb\nc": "größer 漢字 👍 a\tb\nc",
		"a\x1b[31mb":          `a\x1b[31mb`,
		"a\u202eb\u009b":      `a\u202eb\u009b`,
		"a\xffb\r\nc\r":       "a\\xffb\nc\\r",
		`C:\dir 'quoted'`:     `C:\dir 'quoted'`,
		"it's":                "it's",
	} {
		if got := Escape(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

func TestJSONKeepsWhatItEscapes(t *testing.T) {
	for _, text := range hostile {
		var out bytes.Buffer
		if err := JSON(&out, "TextList", []string{text}); err != nil {
			t.Fatal(err)
		}
		var got struct{ Items []string }
		if err := json.Unmarshal(out.Bytes(), &got); err != nil || utf8.ValidString(text) && got.Items[0] != text {
			t.Errorf("%q came back as %q, %v", text, got.Items, err)
		}
	}
}
