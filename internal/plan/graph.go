package plan

import (
	"fmt"
	"io"
	"strings"

	"github.com/sluice-cd/sluice"
)

// Mermaid writes the plan's graph as a Mermaid flowchart, which GitHub and others draw. Each target is a box, an arrow
// leads from each step to the steps that wait for it, and dotted arrows connect targets. The same plan gives the same
// text.
func Mermaid(w io.Writer, p *sluice.Plan) error {
	d := newDrawing(p)
	d.line("flowchart TD")
	for i, t := range p.Targets {
		d.line("  subgraph t%d[\"%s\"]", i, mermaidText(t.Name+" on "+place(t)))
		for _, s := range d.steps[t.Name] {
			d.line("    %s[\"%s<br/>%s\"]", d.ids[s.ID], mermaidText(path(s)), mermaidText(Describe(s)))
		}
		d.line("  end")
	}
	d.edges(p, "  %s --> %s", "  t%d -.-> t%d")
	_, err := io.WriteString(w, d.text.String())
	return err
}

// Dot writes the plan's graph in the language of Graphviz. The same plan gives the same text.
func Dot(w io.Writer, p *sluice.Plan) error {
	d := newDrawing(p)
	d.line("digraph plan {")
	d.line("  label=%s labelloc=t compound=true node [shape=box]", dotText(p.Application))
	for i, t := range p.Targets {
		d.line("  subgraph cluster_t%d {", i)
		d.line("    label=%s", dotText(t.Name+" on "+place(t)))
		d.line("    t%d [shape=point style=invis]", i)
		for _, s := range d.steps[t.Name] {
			d.line("    %s [label=%s]", d.ids[s.ID], dotText(path(s)+"\n"+Describe(s)))
		}
		d.line("  }")
	}
	d.edges(p, "  %s -> %s", "  t%[1]d -> t%[2]d [ltail=cluster_t%[1]d lhead=cluster_t%[2]d style=dashed]")
	d.line("}")
	_, err := io.WriteString(w, d.text.String())
	return err
}

// A drawing is a graph while it is written. It names steps and targets by number, because their own names may contain
// anything.
type drawing struct {
	text  strings.Builder
	ids   map[sluice.StepID]string
	steps map[string][]sluice.PlannedStep
}

func newDrawing(p *sluice.Plan) *drawing {
	d := &drawing{ids: map[sluice.StepID]string{}, steps: byTarget(p)}
	for i, s := range p.Steps {
		d.ids[s.ID] = fmt.Sprintf("s%d", i)
	}
	return d
}

func byTarget(p *sluice.Plan) map[string][]sluice.PlannedStep {
	steps := map[string][]sluice.PlannedStep{}
	for _, s := range p.Steps {
		steps[s.Target] = append(steps[s.Target], s)
	}
	return steps
}

func (d *drawing) line(format string, args ...any) {
	fmt.Fprintf(&d.text, format, args...)
	d.text.WriteByte('\n')
}

func (d *drawing) edges(p *sluice.Plan, step, target string) {
	for _, s := range p.Steps {
		for _, before := range s.After {
			d.line(step, d.ids[before], d.ids[s.ID])
		}
	}
	number := map[string]int{}
	for i, t := range p.Targets {
		number[t.Name] = i
	}
	for i, t := range p.Targets {
		for _, before := range t.DependsOn {
			d.line(target, number[before], i)
		}
	}
}

// place is the account and namespace of a target.
func place(t sluice.PlannedTarget) string {
	if t.Namespace == "" {
		return t.Account
	}
	return t.Account + "/" + t.Namespace
}

// path is a step's id within its target.
func path(s sluice.PlannedStep) string { return strings.TrimPrefix(string(s.ID), s.Target+"/") }

func mermaidText(s string) string {
	return strings.NewReplacer("#", "#35;", `"`, "#quot;", "<", "#lt;", ">", "#gt;", "\r", " ", "\n", " ").Replace(s)
}

func dotText(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r", " ", "\n", `\n`).Replace(s) + `"`
}
