package rehearsal

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local/standin"
)

// job reports what the stand-ins of a Job would have run.
type job struct {
	sluice.Step
	sc sluice.StepContext
}

// Vet calls the step's own Vet, if it has one.
func (j job) Vet(ctx context.Context) (sluice.Preview, error) {
	if v, ok := j.Step.(interface {
		Vet(context.Context) (sluice.Preview, error)
	}); ok {
		return v.Vet(ctx)
	}
	return sluice.Preview{}, nil
}

// Start runs the Job.
func (j job) Start(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	p, err := j.Step.Start(ctx, p)
	if would := wouldRun(j.sc.Step.RunJob.Job); err == nil && len(would) > 0 {
		p.Message = "a stand-in runs; for real it would be: " + strings.Join(would, ", and ")
	}
	return p, err
}

// wouldRun returns what the workload's stand-ins would have run.
func wouldRun(o sluice.Object) []string {
	var all []string
	for _, c := range containers(o) {
		for _, v := range c.List("env") {
			var s standin.Spec
			if v.Text("name") != standin.Variable ||
				json.Unmarshal([]byte(strings.ReplaceAll(v.Text("value"), "$$", "$")), &s) != nil {
				continue
			}
			all = append(all, s.String())
		}
	}
	return all
}
