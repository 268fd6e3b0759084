package present

import (
	"cmp"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// maxKeys is how many keys of each kind a summary names; the report has all of them.
const maxKeys = 10

// A Summary says how a deployment stands, usually at its end.
type Summary struct {
	Out    io.Writer
	State  *engine.State
	Report func(sluice.StepID) string // the file with a step's whole verification
	Told   bool                       // each failure was printed when it came
	Styles Styles

	Unfinished bool // something could not be undone, and can be undone again
}

// Print writes the summary.
func (m Summary) Print() {
	s := m.State
	status, took := m.Styles.status(s.Status()), Took(cmp.Or(s.EndedAt, time.Now()).Sub(s.StartedAt))
	m.line(0, "%s %s: %s after %s", s.Plan.Application, s.ID, status, took)
	if text := overtaken(s); text != "" {
		m.line(1, "%s", text)
	}
	for _, t := range s.Plan.Targets {
		m.line(1, "%-14s %s", t.Name, m.Styles.status(s.Target(t.Name)))
		m.target(t.Name)
	}
	if m.Unfinished {
		m.line(1, "what could not be undone is undone again with: sluice run --resume")
	}
	m.rehearsed()
}

func (m Summary) line(depth int, format string, args ...any) {
	Printf(m.Out, strings.Repeat("  ", depth)+format+"\n", args...)
}

func (m Summary) target(name string) {
	for _, planned := range m.State.Plan.Steps {
		run := m.State.Steps[planned.ID]
		if planned.Target == name && run.Failure != nil {
			m.failure(run)
		}
	}
	if back := m.putBack(name); len(back) > 0 {
		m.line(2, "put back: %s", strings.Join(back, ", "))
	}
	for _, planned := range m.State.Plan.Steps {
		run := m.State.Steps[planned.ID]
		if planned.Target == name && run.Leftover != nil {
			m.line(2, "left behind by %s: %s", planned.ID, run.Leftover.Message)
			m.hint(run.Leftover)
		}
	}
}

func (m Summary) failure(run *engine.StepRun) {
	if m.Told {
		m.line(2, "%s failed at %s, as printed above", run.Plan.ID, Took(run.EndedAt.Sub(m.State.StartedAt)))
	} else {
		m.line(2, "%s failed: %s", run.Plan.ID, run.Failure.Message)
		m.hint(run.Failure)
	}
	if r := evidence(run); r != nil && r.Verification != nil {
		m.verification(run.Plan.ID, *r.Verification)
	}
}

func (m Summary) hint(f *sluice.Failure) {
	if f.Hint != "" {
		m.line(3, "hint: %s", f.Hint)
	}
}

// evidence is the result that a gate judged.
func evidence(run *engine.StepRun) *sluice.Result {
	if run.Failure != nil && run.Failure.Result != nil {
		return run.Failure.Result
	}
	return run.Progress.Result
}

func (m Summary) verification(step sluice.StepID, v sluice.Verification) {
	for _, c := range v.Comparison.Collections {
		m.keys(c.Name, "missing", c.Missing, c.MissingKeys)
		m.keys(c.Name, "added", c.Added, c.AddedKeys)
		m.keys(c.Name, "changed", c.Changed, changedKeys(c.ChangedKeys))
		m.keys(c.Name, "missing indexes", int64(len(c.MissingIndexes)), c.MissingIndexes)
		m.keys(c.Name, "added indexes", int64(len(c.AddedIndexes)), c.AddedIndexes)
		m.keys(c.Name, "changed indexes", int64(len(c.ChangedIndexes)), c.ChangedIndexes)
	}
	for _, i := range v.Invariants {
		if !i.Passed {
			m.line(3, "invariant %q: %g, baseline %g: %s", i.Name, i.Value, i.Baseline, i.Reason)
		}
	}
	m.line(3, "full report: %s", ShortPath(m.Report(step)))
}

func (m Summary) keys(collection, kind string, count int64, keys []string) {
	if count == 0 {
		return
	}
	text := ""
	if len(keys) > 0 {
		text = ": " + strings.Join(keys[:min(len(keys), maxKeys)], ", ")
	}
	if count > int64(min(len(keys), maxKeys)) && len(keys) > 0 {
		text += ", ..."
	}
	m.line(3, "%s: %s %s%s", collection, Quantity(count, "documents"), kind, text)
}

func changedKeys(list []sluice.ChangedKey) []string {
	texts := make([]string, len(list))
	for i, c := range list {
		texts[i] = c.Key
		if len(c.Fields) > 0 {
			texts[i] += " (" + strings.Join(c.Fields, ", ") + ")"
		}
	}
	return texts
}

// putBack names what undoing the target restored.
func (m Summary) putBack(target string) (back []string) {
	for _, id := range m.State.Started {
		run := m.State.Steps[id]
		if run.Plan.Target != target || run.Phase != engine.PhaseUndone {
			continue
		}
		before := len(back)
		for _, c := range run.Progress.Changes {
			if c.Outcome != sluice.Unchanged {
				back = append(back, c.Object)
			}
		}
		if len(back) == before && run.Plan.MigrateData != nil {
			back = append(back, "the data of "+run.Plan.MigrateData.Dataset)
		}
	}
	return back
}

// ShortPath returns the path relative to the working directory if that is shorter.
func ShortPath(path string) string {
	here, err := filepath.Abs(".")
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(here, path); err == nil && len(rel) < len(path) {
		return rel
	}
	return path
}
