package enginetest

import (
	"fmt"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// Waves is a plan of waves of targets of one step. Each target depends on every target of the wave before. The last
// wave is first in the plan, because plans promise no order of targets.
func Waves(n, width int) *sluice.Plan {
	p := &sluice.Plan{Application: "shop"}
	name := func(wave, i int) string { return fmt.Sprintf("wave-%d-%d", wave, i) }
	for wave := n - 1; wave >= 0; wave-- {
		for i := range width {
			t := sluice.PlannedTarget{Name: name(wave, i)}
			for j := 0; wave > 0 && j < width; j++ {
				t.DependsOn = append(t.DependsOn, name(wave-1, j))
			}
			p.Targets = append(p.Targets, t)
			step := sluice.PlannedStep{ID: sluice.StepID(t.Name + "/apply"), Target: t.Name, Phase: sluice.PhaseApply}
			p.Steps = append(p.Steps, step)
		}
	}
	return p
}

// MeasureDecide returns the average time of one decision about such a deployment.
func MeasureDecide(n, width int) time.Duration {
	s := &engine.State{}
	s.Apply(sluice.Event{Seq: 1, Kind: sluice.DeploymentStarted, Plan: Waves(n, width)})
	const times = 1000
	began := time.Now()
	for range times {
		engine.Decide(s, began)
	}
	return time.Since(began) / times
}
