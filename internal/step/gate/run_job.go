package gate

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/delivery"
	"github.com/sluice-cd/sluice/internal/step/deps"
	"github.com/sluice-cd/sluice/internal/step/object"
	"github.com/sluice-cd/sluice/internal/step/ready"
	"github.com/sluice-cd/sluice/internal/step/record"
)

// runJob runs one Job to its end. The Job's name comes from the deployment and the step, so that after a crash
// it is found and not run twice.
type runJob struct {
	deps    deps.Deps
	sc      sluice.StepContext
	account sluice.Account
	job     sluice.Object
}

// NewRunJob returns the step that runs a Job.
func NewRunJob(d deps.Deps, sc sluice.StepContext) (sluice.Step, error) {
	a, err := d.Account(sc.Target.Account, sc.Step.Pos)
	if err != nil {
		return nil, err
	}
	spec := sc.Step.RunJob
	if spec.Job.Text("kind") != "Job" {
		return nil, sluice.Errorf(sluice.Invalid, "the job %q has no Job in it", spec.Name).
			WithHint("its path or inline text holds one Kubernetes object of kind Job").At(sc.Step.Pos)
	}
	job := object.Wanted(spec.Job)
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
	if _, _, err := s.account.Apply(ctx, s.job, true); err != nil && sluice.ErrorCode(err) != sluice.NotFound {
		return sluice.Preview{}, object.WithOp("apply", s.job.Ref(), err)
	}
	raw, err := record.Write(jobSnapshot{At: s.deps.Now()})
	return sluice.Preview{Notes: []string{"runs " + s.job.Ref().String() + " to its end"}, Snapshot: raw}, err
}

// Start makes the Job.
func (s *runJob) Start(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	if _, _, err := object.Apply(ctx, s.account, s.job); err != nil {
		return p, err
	}
	p.State, p.Message = sluice.Running, s.job.Ref().String()+" runs"
	return p, nil
}

// Observe waits for its end.
func (s *runJob) Observe(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	var from jobSnapshot
	if err := record.Read(p.Snapshot, &from); err != nil {
		return p, err
	}
	w := s.deps.Waiter(s.sc, s.account, from.At.Add(cmp.Or(s.sc.Step.RunJob.Timeout, ready.DefaultTimeout)))
	report, stop := s.showLog(ctx)
	defer stop()
	w.Report = report
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

// Vet finds a Job that the account will never accept.
func (s *runJob) Vet(ctx context.Context) error {
	if _, err := s.Check(ctx); sluice.ErrorCode(err) == sluice.Unsupported {
		return err
	}
	return nil
}

// lastLines is how long the step waits for the last lines of a Job's pods once the Job has ended.
const lastLines = 2 * time.Second

// showLog shows every line that the Job's pods write, while they write it. It is for people: a log that cannot be read
// fails nothing. The returned report may be called at the same time; stop ends it.
func (s *runJob) showLog(ctx context.Context) (report func(sluice.Progress), stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	l := &jobLog{runJob: s, followed: map[string]bool{}}
	l.tails.Go(func() { l.findPods(ctx) })
	return l.report, func() {
		time.AfterFunc(lastLines, cancel)
		l.tails.Wait()
		cancel()
	}
}

type jobLog struct {
	*runJob
	followed map[string]bool // pods
	tails    sync.WaitGroup
	mu       sync.Mutex
}

func (l *jobLog) report(p sluice.Progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sc.Report(p)
}

// findPods follows every pod of the Job, until the Job has ended.
func (l *jobLog) findPods(ctx context.Context) {
	ref := l.job.Ref()
	for o, err := range l.account.Follow(ctx, ref) {
		if err != nil {
			return
		}
		pods, err := l.account.Pods(ctx, ref.Namespace)
		if err != nil {
			return
		}
		for _, p := range pods {
			if p.Owner == ref.String() && !l.followed[p.Name] {
				l.followed[p.Name] = true
				l.tails.Go(func() { l.tail(ctx, p) })
			}
		}
		if hasEnded(o) {
			return
		}
	}
}

func hasEnded(job sluice.Object) bool {
	conditions, _ := job.Field("status", "conditions").([]any)
	for _, c := range conditions {
		kind := object.Map(c)["type"]
		if (kind == "Complete" || kind == "Failed") && object.Map(c)["status"] == "True" {
			return true
		}
	}
	return false
}

func (l *jobLog) tail(ctx context.Context, p sluice.Pod) {
	for line, err := range l.account.Tail(ctx, p.Namespace, p.Name) {
		if err != nil {
			return
		}
		l.report(sluice.Progress{State: sluice.Running, Message: p.Name + ": " + line[:min(len(line), 300)]})
	}
}
