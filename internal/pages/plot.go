package pages

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// A plot is one query of an analysis, drawn: time across, value up.
type plot struct {
	Query    string
	Template string
	Provider string
	Sentence string
	Class    string
	Now      string // points of the line of this release
	Before   string // of the release before it, "" without one
	Marks    []mark
	Limits   []limit
	Top, End string // the labels of the axes
	Bottom   string
	Begin    string
	Samples  []sluice.Sample
}

// A mark is a sample in the plot.
type mark struct {
	X, Y  float64
	Class string // good, bad or unknown
	Says  string
}

// A limit is a line that a value must not cross.
type limit struct {
	Y     float64
	Label string
	At    float64 // of the label
}

// The plane of a plot, in its own units.
const (
	plotWidth, plotHeight = 420.0, 96.0
	plotLeft, plotTop     = 44.0, 8.0
	plotRight             = 8.0
	plotBottom            = 16.0
	labelRoom             = 14.0 // between two labels
)

// plots draws the queries of an analysis.
func (v *visit) plots(s *engine.State, run *engine.StepRun, j *sluice.Judgment) (list []plot) {
	var samples, before []sluice.Sample
	if j != nil {
		samples, before = j.Samples, v.before(s, run.Plan.ID)
	}
	for _, q := range run.Plan.Analysis.Resolved {
		list = append(list, plotOf(run, q, of(samples, q.Name), of(before, q.Name)))
	}
	return list
}

func of(samples []sluice.Sample, query string) []sluice.Sample {
	return slices.DeleteFunc(slices.Clone(samples), func(s sluice.Sample) bool { return s.Query != query })
}

// searched is how many earlier deployments are searched for the same analysis.
const searched = 5

// before returns the samples of the same step in the latest earlier deployment that has some: the baseline by which a
// person judges those of this one. They are looked up once a visit.
func (v *visit) before(s *engine.State, step sluice.StepID) []sluice.Sample {
	if samples, ok := v.baselines[step]; ok {
		return samples
	}
	if v.baselines == nil {
		v.baselines = map[sluice.StepID][]sluice.Sample{}
	}
	v.baselines[step] = v.findBefore(s, step)
	return v.baselines[step]
}

func (v *visit) findBefore(s *engine.State, step sluice.StepID) []sluice.Sample {
	list, err := v.store.Deployments(v.ctx, s.Plan.Application)
	if err != nil {
		return nil // a plot without a baseline is still a plot
	}
	list = slices.DeleteFunc(list, func(d sluice.Deployment) bool { return d.ID >= s.ID })
	for _, d := range list[:min(len(list), searched)] {
		old, err := engine.Fold(d.ID, v.store.Read(v.ctx, d.ID, 0))
		if err != nil {
			return nil
		}
		if run := old.Steps[step]; run != nil && evidence(run) != nil && evidence(run).Judgment != nil {
			return evidence(run).Judgment.Samples
		}
	}
	return nil
}

// A plane maps times and values to the plot.
type plane struct {
	begin, end time.Time
	low, high  float64
}

func (p plane) x(t time.Time) float64 {
	whole := p.end.Sub(p.begin).Seconds()
	share := min(max(t.Sub(p.begin).Seconds()/max(whole, 0.001), 0), 1)
	return round(plotLeft + share*(plotWidth-plotLeft-plotRight))
}

func (p plane) y(value float64) float64 {
	share := (value - p.low) / (p.high - p.low)
	return round(plotHeight - plotBottom - share*(plotHeight-plotTop-plotBottom))
}

func round(f float64) float64 { return float64(int(f*10+0.5)) / 10 }

func plotOf(run *engine.StepRun, q sluice.Query, now, before []sluice.Sample) plot {
	p := plot{Query: q.Name, Template: q.Template, Provider: q.Provider, Samples: now}
	p.Sentence, p.Class = saysOf(q, now)
	on := planeOf(run, q, now, before)
	p.Top, p.Bottom = figure(on.high), figure(on.low)
	p.Begin, p.End = on.begin.UTC().Format("15:04"), on.end.UTC().Format("15:04")
	for _, bound := range []*float64{q.Upper, q.Lower} {
		if bound != nil {
			y := on.y(*bound)
			p.Limits = append(p.Limits, limit{y, figure(*bound), min(y+3, plotHeight-plotBottom)})
			if y < plotTop+labelRoom {
				p.Top = ""
			}
		}
	}
	p.Now, p.Marks = on.line(now)
	p.Before = on.shifted(before)
	return p
}

// planeOf fits the values, the limits and the time that the analysis takes.
func planeOf(run *engine.StepRun, q sluice.Query, now, before []sluice.Sample) plane {
	p := plane{begin: run.StartedAt, end: run.StartedAt.Add(run.Plan.Duration())}
	var values []float64
	for _, bound := range []*float64{q.Upper, q.Lower} {
		if bound != nil {
			values = append(values, *bound)
		}
	}
	for _, s := range now {
		p.end = latest(p.end, s.End)
	}
	for _, s := range slices.Concat(now, before) {
		if s.Value != nil {
			values = append(values, *s.Value)
		}
	}
	if len(values) == 0 {
		values = []float64{0, 1}
	}
	p.low, p.high = min(0, slices.Min(values)), slices.Max(values)
	if p.high <= p.low {
		p.high = p.low + 1
	}
	p.high += (p.high - p.low) * 0.15
	return p
}

// line draws the samples with a value, and marks every one.
func (p plane) line(samples []sluice.Sample) (points string, marks []mark) {
	var list []string
	for _, s := range samples {
		m := mark{X: p.x(s.End), Y: plotHeight - plotBottom, Class: "unknown", Says: sampleSays(s)}
		if s.Value != nil {
			m.Y, m.Class = p.y(*s.Value), string(s.Verdict)
			list = append(list, fmt.Sprintf("%g,%g", m.X, m.Y))
		}
		marks = append(marks, m)
	}
	return strings.Join(list, " "), marks
}

// shifted draws samples of another time as if they had begun at the same instant.
func (p plane) shifted(samples []sluice.Sample) string {
	var list []string
	for _, s := range samples {
		if s.Value != nil {
			at := p.begin.Add(s.End.Sub(samples[0].End) + samples[0].End.Sub(samples[0].Start))
			list = append(list, fmt.Sprintf("%g,%g", p.x(at), p.y(*s.Value)))
		}
	}
	return strings.Join(list, " ")
}

func figure(f float64) string { return fmt.Sprintf("%.4g", f) }

// valueOf writes the value of a sample.
func valueOf(s sluice.Sample) string {
	if s.Value == nil {
		return "no value"
	}
	return figure(*s.Value)
}

func sampleSays(s sluice.Sample) string {
	text := fmt.Sprintf("%s %s, %s: %s", s.End.UTC().Format("15:04:05"), valueOf(s), s.Verdict, short(s.Reason))
	return strings.TrimSuffix(text, ": ")
}

// saysOf is the verdict of a query in a sentence.
func saysOf(q sluice.Query, samples []sluice.Sample) (text, class string) {
	if len(samples) == 0 {
		return "no sample yet; " + bounds(q), "idle"
	}
	bad, last := 0, samples[len(samples)-1]
	for _, s := range samples {
		if s.Verdict == sluice.Bad {
			bad++
		}
	}
	value := "last " + valueOf(last)
	switch {
	case bad > 0 && last.Verdict == sluice.Good:
		return fmt.Sprintf("%d of %d samples bad, %s; %s", bad, len(samples), value, bounds(q)), "wait"
	case bad > 0:
		return fmt.Sprintf("%d of %d samples bad, %s; %s", bad, len(samples), value, bounds(q)), "bad"
	case last.Verdict == sluice.Good:
		return fmt.Sprintf("%d good, %s; %s", len(samples), value, bounds(q)), "good"
	}
	return fmt.Sprintf("%s, %s; %s", last.Verdict, value, bounds(q)), "wait"
}

func bounds(q sluice.Query) string {
	var list []string
	if q.Lower != nil {
		list = append(list, "at least "+figure(*q.Lower))
	}
	if q.Upper != nil {
		list = append(list, "at most "+figure(*q.Upper))
	}
	return strings.Join(list, ", ")
}
