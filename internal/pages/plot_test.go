package pages

import (
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

func TestAPlotShowsSamplesLimitsAndWhatWasBefore(t *testing.T) {
	begin := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	run := &engine.StepRun{StartedAt: begin, Plan: sluice.PlannedStep{StepSpec: sluice.StepSpec{
		Analysis: &sluice.Analysis{Interval: time.Minute, Runs: 4},
	}}}
	take := func(day int, values ...float64) (list []sluice.Sample) {
		for i, value := range values {
			s := sluice.Sample{Start: begin.AddDate(0, 0, day).Add(time.Duration(i) * time.Minute), Verdict: sluice.Good}
			if s.End = s.Start.Add(time.Minute); value >= 0 {
				s.Value = &value
			}
			if value > 10 {
				s.Verdict = sluice.Bad
			}
			list = append(list, s)
		}
		return list
	}
	upper := 10.0
	q := sluice.Query{Name: "latency", Upper: &upper}
	p := plotOf(run, q, take(0, 4, 12, -1, 6), take(-1, 5, 5, 5, 5))
	var classes []string
	for _, m := range p.Marks {
		classes = append(classes, m.Class)
		if m.X < plotLeft || m.X > plotWidth-plotRight || m.Y < plotTop || m.Y > plotHeight-plotBottom {
			t.Errorf("the sample %+v is outside", m)
		}
	}
	if got := strings.Join(classes, " "); got != "good bad unknown good" {
		t.Errorf("the samples are %s", got)
	}
	if n := strings.Count(p.Now, ","); n != 3 || strings.Count(p.Before, ",") != 4 {
		t.Errorf("the lines are %q and %q", p.Now, p.Before)
	}
	if len(p.Limits) != 1 || p.Limits[0].Y <= p.Marks[1].Y || p.Limits[0].Y >= p.Marks[0].Y {
		t.Errorf("the limit %+v is not between a good and a bad sample", p.Limits)
	}
	says := strings.HasPrefix(p.Sentence, "1 of 4 samples bad")
	if p.Begin != "12:00" || p.End != "12:04" || p.Class != "wait" || !says {
		t.Errorf("the plot says %+v", p)
	}
	if p = plotOf(run, q, nil, nil); p.Sentence != "no sample yet; at most 10" || p.Now != "" {
		t.Errorf("without a sample the plot says %+v", p)
	}
}
