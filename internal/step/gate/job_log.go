package gate

import (
	"context"
	"sync"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/object"
)

// lastLines is how long what a Job's pods wrote last is waited for once the Job has ended.
const lastLines = 2 * time.Second

// listen shows every line that the Job's pods write, while they write it. It is there to be looked at: a log that cannot
// be read fails nothing. The returned report may be called beside it; hush ends it.
func (s *runJob) listen(ctx context.Context) (report func(sluice.Progress), hush func()) {
	ctx, cancel := context.WithCancel(ctx)
	l := &listener{job: s, heard: map[string]bool{}}
	l.tails.Go(func() { l.findPods(ctx) })
	return l.report, func() {
		time.AfterFunc(lastLines, cancel)
		l.tails.Wait()
		cancel()
	}
}

type listener struct {
	job   *runJob
	heard map[string]bool // pods
	tails sync.WaitGroup
	mu    sync.Mutex
}

func (l *listener) report(p sluice.Progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.job.sc.Report(p)
}

// findPods listens to every pod of the Job, until the Job has ended.
func (l *listener) findPods(ctx context.Context) {
	ref := l.job.job.Ref()
	for o, err := range l.job.account.Follow(ctx, ref) {
		if err != nil {
			return
		}
		pods, err := l.job.account.Pods(ctx, ref.Namespace)
		if err != nil {
			return
		}
		for _, p := range pods {
			if p.Owner == ref.String() && !l.heard[p.Name] {
				l.heard[p.Name] = true
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

func (l *listener) tail(ctx context.Context, p sluice.Pod) {
	for line, err := range l.job.account.Tail(ctx, p.Namespace, p.Name) {
		if err != nil {
			return
		}
		l.report(sluice.Progress{State: sluice.Running, Message: p.Name + ": " + line[:min(len(line), 300)]})
	}
}
