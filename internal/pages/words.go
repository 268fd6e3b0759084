package pages

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/manifest"
	"github.com/sluice-cd/sluice/internal/present"
)

// A Sign shows a state by a character, a word and the class of its colour, so that no one of them is needed.
type Sign struct{ Mark, Word, Class string }

var statusSigns = map[sluice.Status]Sign{
	sluice.StatusQueued:      {"◌", "queued", "idle"},
	sluice.StatusPending:     {"·", "pending", "idle"},
	sluice.StatusRunning:     {"◐", "running", "busy"},
	sluice.StatusWaiting:     {"◌", "waiting", "wait"},
	sluice.StatusPaused:      {"‖", "paused", "wait"},
	sluice.StatusRollingBack: {"↩", "rolling back", "back"},
	sluice.StatusSucceeded:   {"●", "ok", "good"},
	sluice.StatusFailed:      {"✕", "failed", "bad"},
	sluice.StatusRolledBack:  {"↩", "rolled back", "back"},
	sluice.StatusCancelled:   {"↩", "cancelled", "back"},
	sluice.StatusOvertaken:   {"–", "overtaken", "idle"},
	sluice.StatusSkipped:     {"–", "skipped", "idle"},
}

func signOf(s sluice.Status) Sign {
	if sign, ok := statusSigns[s]; ok {
		return sign
	}
	return Sign{"·", string(s), "idle"}
}

var phaseSigns = map[engine.RunPhase]Sign{
	engine.PhasePending:    {"·", "pending", "idle"},
	engine.PhaseStarting:   {"◐", "starting", "busy"},
	engine.PhaseRunning:    {"◐", "running", "busy"},
	engine.PhaseWaiting:    {"◌", "waiting", "wait"},
	engine.PhaseDone:       {"●", "ok", "good"},
	engine.PhaseFailed:     {"✕", "failed", "bad"},
	engine.PhaseSkipped:    {"–", "skipped", "idle"},
	engine.PhaseFinishing:  {"●", "ok, finishing", "good"},
	engine.PhaseFinished:   {"●", "ok", "good"},
	engine.PhaseUndoing:    {"↩", "being undone", "back"},
	engine.PhaseUndone:     {"↩", "undone", "back"},
	engine.PhaseUndoFailed: {"✕", "could not be undone", "bad"},
}

// stepSign is the sign of a step. What has failed stays visible when it is undone or kept.
func stepSign(run *engine.StepRun) Sign {
	sign := phaseSigns[run.Phase]
	switch {
	case run.Skipped != nil:
		return phaseSigns[engine.PhaseSkipped]
	case run.Failure == nil || sign.Class == "bad":
		return sign
	case sign.Class == "good":
		return phaseSigns[engine.PhaseFailed]
	}
	return Sign{"✕", "failed, " + sign.Word, "bad"}
}

// ago says how much time lies between two instants, as people do: 5 s, 12 min, 3 h, 9 d.
func ago(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Minute:
		return fmt.Sprintf("%d s", max(1, d/time.Second))
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d d", d/(24*time.Hour))
}

// longest is how many characters of a text stand in a line of a table. All of it is where its subject is shown.
const longest = 120

// short returns the first line of a text, and no more of it than fits a line.
func short(text string) string {
	first, _, more := strings.Cut(strings.TrimSpace(text), "\n")
	if runes := []rune(first); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	if more {
		return first + " …"
	}
	return first
}

// mostText bounds a text that is shown in full, so that no page grows without bound.
const mostText = 4000

// whole returns a text as a page shows it in full.
func whole(text string) string {
	if len(text) <= mostText {
		return text
	}
	runes := []rune(text)
	if len(runes) <= mostText {
		return text
	}
	return string(runes[:mostText]) + "…"
}

// release says what a plan brings to a target in a word: the tag of the image that has the name of the application, or
// else of its first image and how many others there are. Without a tag it is how its deployment is called.
func release(id sluice.DeploymentID, p *sluice.Plan, target string) string {
	var tags []string
	for _, s := range p.Steps {
		if s.Apply == nil || target != "" && s.Target != target {
			continue
		}
		for _, o := range s.Apply.Objects {
			for _, image := range manifest.Images(o) {
				tag := tagOf(image)
				switch {
				case tag == "":
				case nameOf(image) == p.Application:
					return short(tag)
				case !slices.Contains(tags, tag):
					tags = append(tags, tag)
				}
			}
		}
	}
	switch len(tags) {
	case 0:
		return brief(id)
	case 1:
		return short(tags[0])
	}
	return short(fmt.Sprintf("%s +%d", tags[0], len(tags)-1))
}

// stood writes how long a source stood still, mostly less than a second.
func stood(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return present.Took(d)
}

// nameOf returns the last part of an image's name, without its registry, tag and digest.
func nameOf(image string) string {
	name, _, _ := strings.Cut(path.Base(image), "@")
	name, _, _ = strings.Cut(name, ":")
	return name
}

// tagOf returns the tag of an image, or the beginning of its digest.
func tagOf(image string) string {
	name, digest, ok := strings.Cut(image, "@")
	if i := strings.LastIndex(name, ":"); i > strings.LastIndex(name, "/") {
		return name[i+1:]
	}
	if _, hash, found := strings.Cut(digest, ":"); ok && found {
		return hash[:min(len(hash), 7)]
	}
	return ""
}

// brief is the part of a deployment's id that people tell it by: ids begin with the time.
func brief(id sluice.DeploymentID) string {
	if _, random, ok := strings.Cut(string(id), "-"); ok {
		return random
	}
	return short(string(id))
}

// weightOf returns the share of the traffic that the new version of a target gets by the last weight, false without
// one.
func weightOf(s *engine.State, target string) (percent int, ok bool) {
	for _, id := range s.Started {
		run := s.Steps[id]
		if run.Plan.Target != target {
			continue
		}
		up := run.Phase == engine.PhaseDone || run.Phase == engine.PhaseFinished
		switch {
		case run.Plan.SetWeight != nil && len(run.Plan.SetWeight.Services) == 0 && up:
			percent, ok = run.Plan.SetWeight.Weight, true
		case run.Plan.Kind == sluice.KindPromote && up:
			return 100, ok
		}
	}
	return percent, ok
}

// waitsFor says what a step waits for, in the words that it recorded.
func waitsFor(run *engine.StepRun) string {
	switch {
	case run.Retrying != nil:
		return "tries again: " + run.Retrying.Message
	case run.WaitsFor != "":
		return run.WaitsFor
	case run.Phase != engine.PhaseWaiting:
		return ""
	case run.Progress.Message != "":
		return strings.TrimPrefix(run.Progress.Message, "waiting for ")
	}
	return "a signal"
}

// decidable returns the signal by which a person lets the waiting step go on, "" if a person cannot.
func decidable(run *engine.StepRun) string {
	if run.Phase != engine.PhaseWaiting || run.Progress.Wait == nil {
		return ""
	}
	for _, kind := range []string{sluice.SignalApprove, sluice.SignalRollForward} {
		if slices.Contains(run.Progress.Wait.Signals, kind) {
			return kind
		}
	}
	return ""
}

// evidence is the result that a step was judged by.
func evidence(run *engine.StepRun) *sluice.Result {
	if run.Failure != nil && run.Failure.Result != nil {
		return run.Failure.Result
	}
	return run.Progress.Result
}
