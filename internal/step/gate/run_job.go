package gate

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/delivery"
	"github.com/sluice-cd/sluice/internal/step/deps"
	"github.com/sluice-cd/sluice/internal/step/object"
	"github.com/sluice-cd/sluice/internal/step/ready"
	"github.com/sluice-cd/sluice/internal/step/record"
	"github.com/sluice-cd/sluice/internal/step/refusal"
)

// runJob runs one Job to its end. The Job's name comes from the deployment and the step, and it stays until it is
// finished or undone: so after a crash it is found, judged and not run twice.
type runJob struct {
	deps    deps.Deps
	sc      sluice.StepContext
	account sluice.Account
	job     sluice.Object
}

// NewRunJob returns the step that runs a Job.
func NewRunJob(d deps.Deps, sc sluice.StepContext) (sluice.Step, error) {
	a, err := d.TargetAccount(sc)
	if err != nil {
		return nil, err
	}
	spec := sc.Step.RunJob
	if spec.Job.Text("kind") != "Job" {
		return nil, sluice.Errorf(sluice.Invalid, "the job %q has no Job in it", spec.Name).
			WithHint("its path or inline text holds one Kubernetes object of kind Job").At(sc.Step.Pos)
	}
	job := ready.Kept(object.Wanted(spec.Job))
	job.Set(jobName(spec.Name, sc), "metadata", "name")
	if sc.Target.Namespace != "" {
		job.Set(sc.Target.Namespace, "metadata", "namespace")
	}
	job.Set(string(sc.Deployment), "metadata", "annotations", delivery.MadeBy)
	return &runJob{d, sc, a, job}, nil
}

func jobName(name string, sc sluice.StepContext) string {
	sum := sha256.Sum256([]byte(string(sc.Deployment) + "/" + string(sc.Step.ID)))
	plain := strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, strings.ToLower(name)), "-")
	return strings.Trim(plain[:min(len(plain), 40)]+"-"+hex.EncodeToString(sum[:5]), "-")
}

// A jobSnapshot holds when the Job's time begins to count.
type jobSnapshot struct {
	At time.Time `json:"at"`
}

// Check says what will run, and fixes when its time begins to count.
func (s *runJob) Check(ctx context.Context) (sluice.Preview, error) {
	ref := s.job.Ref()
	notes := []string{"runs " + ref.String() + " to its end"}
	if _, _, err := s.account.Apply(ctx, s.job, true); err != nil {
		why := refusal.Unknown(s.sc, ref, err)
		if why == "" {
			return sluice.Preview{}, refusal.Object{Ref: ref, Place: s.sc.Step.Pos}.At(object.WithOp("apply", ref, err))
		}
		notes = append(notes, "not known yet: "+why)
	}
	raw, err := record.Write(jobSnapshot{At: s.deps.Now()})
	return sluice.Preview{Notes: notes, Snapshot: raw}, err
}

// Start makes the Job.
func (s *runJob) Start(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	if _, _, err := object.Apply(ctx, s.account, s.job); err != nil {
		return p, err
	}
	p.State, p.Message = sluice.Running, s.job.Ref().String()+" runs"
	return p, nil
}

// Observe waits for its end, and reports what its pods write.
func (s *runJob) Observe(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	var from jobSnapshot
	if err := record.Read(p.Snapshot, &from); err != nil {
		return p, err
	}
	w := s.deps.Waiter(s.sc, s.account, from.At.Add(cmp.Or(s.sc.Step.RunJob.Timeout, ready.DefaultTimeout)))
	if err := w.Ready(ctx, []sluice.Ref{s.job.Ref()}); err != nil {
		return p, err
	}
	p.State, p.Message = sluice.Done, s.job.Ref().String()+" succeeded"
	return p, nil
}

// Finish deletes the Job.
func (s *runJob) Finish(ctx context.Context, _ sluice.Progress) error {
	return delivery.Delete(ctx, s.account, s.job.Ref(), s.sc.Deployment)
}

// Undo deletes the Job and its pods. What they did stays.
func (s *runJob) Undo(ctx context.Context, _ sluice.Progress) error {
	return delivery.Delete(ctx, s.account, s.job.Ref(), s.sc.Deployment)
}

// Vet finds a Job that the account refuses now and will still refuse at the step's turn.
func (s *runJob) Vet(ctx context.Context) (sluice.Preview, error) { return s.Check(ctx) }
