package plan

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
)

// Tree prints the plan as a tree of targets, phases and steps. It shows what each step with a preview would do, how
// long the waits are, and what a rollback would not restore.
func Tree(w io.Writer, p *sluice.Plan, previews map[sluice.StepID]sluice.Preview) error {
	t := &tree{previews: previews}
	steps := byTarget(p)
	t.line(0, "%s  (plan %.12s)", p.Application, p.Digest)
	for _, target := range p.Targets {
		t.target(target, steps[target.Name])
	}
	_, err := io.WriteString(w, t.text.String())
	return err
}

type tree struct {
	text     strings.Builder
	previews map[sluice.StepID]sluice.Preview
}

// line indents further lines of a text more, so that none of them looks like a line of the tree.
func (t *tree) line(depth int, format string, args ...any) {
	text := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "\n"+strings.Repeat("  ", depth+2))
	t.text.WriteString(strings.Repeat("  ", depth) + text + "\n")
}

func (t *tree) target(target sluice.PlannedTarget, steps []sluice.PlannedStep) {
	t.line(0, "")
	t.line(0, "%s  on %s%s", target.Name, place(target), t.after(target))
	for _, entry := range target.Traffic {
		t.line(1, "%s", describeTraffic(entry))
	}
	if target.MaxUnready != (sluice.Tolerance{}) {
		t.line(1, "may be unready: %s of the pods of each workload", target.MaxUnready)
	}
	t.phases(steps)
	if wait := waits(steps); wait > 0 {
		t.line(1, "waits: at least %s", Span(wait))
	}
	if text := classes[target.RollbackClass]; text != "" {
		t.line(1, "rollback class %s: %s", target.RollbackClass, text)
	}
	for _, sentence := range target.Irreversible {
		t.line(1, "not undone: %s", sentence)
	}
}

var classes = map[string]string{
	"A": "the application only; data is left as it is",
	"B": "data is restored; nobody has written to it since",
	"C": "data is restored; what was written since is kept in a checkpoint of its own",
}

func (t *tree) after(target sluice.PlannedTarget) string {
	if len(target.DependsOn) == 0 {
		return ""
	}
	return "  after " + strings.Join(target.DependsOn, ", ")
}

func (t *tree) phases(steps []sluice.PlannedStep) {
	var phase sluice.Phase
	for _, s := range steps {
		if s.Phase != phase {
			phase = s.Phase
			t.line(1, "%s", phaseNames[phase])
		}
		t.step(s)
	}
}

var phaseNames = map[sluice.Phase]string{
	sluice.PhaseBefore:     "before deployment",
	sluice.PhaseApply:      "apply",
	sluice.PhaseCanary:     "canary, step by step",
	sluice.PhaseBlueGreen:  "blue/green",
	sluice.PhasePromote:    "promote",
	sluice.PhaseAfter:      "after deployment",
	sluice.PhaseOnRollback: "only when rolled back",
}

func (t *tree) step(s sluice.PlannedStep) {
	t.line(2, "%-14s %s", path(s), Describe(s))
	preview := t.previews[s.ID]
	for _, note := range preview.Notes {
		t.line(4, "%s", note)
	}
	for _, c := range preview.Changes {
		t.line(4, "%s %s", c.Object, c.Outcome)
		t.diff(c.Diff)
	}
}

func (t *tree) diff(diff string) {
	for line := range strings.Lines(diff) {
		t.line(6, "%s", strings.TrimRight(line, "\n"))
	}
}

// waits returns the longest chain of declared durations; parallel steps wait at the same time.
func waits(steps []sluice.PlannedStep) time.Duration {
	ends := map[sluice.StepID]time.Duration{}
	longest := time.Duration(0)
	for _, s := range steps {
		begin := time.Duration(0)
		for _, id := range s.After {
			begin = max(begin, ends[id])
		}
		ends[s.ID] = max(begin, begin+s.Duration()) // not negative, however often ten years are waited
		longest = max(longest, ends[s.ID])
	}
	return longest
}
