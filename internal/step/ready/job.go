package ready

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// Kept returns the Job without its ttlSecondsAfterFinished. A Job that is applied like this stays until Sluice has
// judged it, also if Sluice is killed meanwhile.
func Kept(job sluice.Object) sluice.Object {
	if !Expires(job) {
		return job
	}
	job = job.Clone()
	delete(job["spec"].(map[string]any), ttl)
	return job
}

// Expires reports whether the object is a Job that the cluster deletes after its end.
func Expires(o sluice.Object) bool { return o.Text("kind") == "Job" && o.Field("spec", ttl) != nil }

const ttl = "ttlSecondsAfterFinished"

// A jobRun is one run of a Job, followed to its end. It remembers the pods and their last lines: when a Job fails, its
// controller deletes the pods that still run.
type jobRun struct {
	Waiter
	ref   sluice.Ref
	seen  string // the Job's last state, in words
	pods  []sluice.Pod
	tails sync.WaitGroup
	mu    sync.Mutex // guards the reports and lines
	lines map[string][]string
}

// lastLines is how long the end of a Job waits for the last lines of its pods.
const lastLines = 2 * time.Second

// jobEnds waits until the Job has succeeded. It reports every line that the pods write. A Job counts as what it did,
// even if it is deleted right after its end. If it is gone and nobody saw its end, that is an error at once.
func (w Waiter) jobEnds(ctx context.Context, ref sluice.Ref) error {
	tailing, cancel := context.WithCancel(ctx)
	r := &jobRun{Waiter: w, ref: ref, seen: "it was never reported", lines: map[string][]string{}}
	err := w.each(ctx, ref, func(o sluice.Object, gone bool) (bool, error) { return r.look(tailing, o, gone) })
	time.AfterFunc(lastLines, cancel)
	r.tails.Wait()
	cancel()
	switch {
	case err == nil || ctx.Err() != nil:
		return err
	case IsTimeout(err):
		return r.failure(ctx, "has not ended in time", r.seen)
	case sluice.ErrorCode(err) == sluice.Failed:
		return r.failure(ctx, "failed", err.Error())
	}
	return err
}

// look judges one state of the Job, and follows the pods that are new.
func (r *jobRun) look(ctx context.Context, o sluice.Object, gone bool) (done bool, err error) {
	for _, p := range r.findPods(ctx) {
		r.tails.Go(func() { r.tail(ctx, p) })
	}
	state := manifest.Status(o)
	switch {
	case state.Phase == manifest.Ready || gone && hasCondition(o, "SuccessCriteriaMet"):
		return true, nil
	case state.Phase == manifest.Failed:
		return false, sluice.Errorf(sluice.Failed, "%s", state.Message)
	case gone:
		return false, sluice.Errorf(sluice.Failed, "it is gone, and Sluice did not see it end: %s", r.seen)
	}
	r.seen = state.Message
	r.report(r.ref.String() + ": " + state.Message)
	return false, nil
}

func hasCondition(o sluice.Object, name string) bool {
	return slices.ContainsFunc(o.List("status", "conditions"), func(c sluice.Object) bool {
		return c["type"] == name && c["status"] == "True"
	})
}

func (r *jobRun) report(message string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Report(sluice.Progress{State: sluice.Running, Message: message})
}

// findPods remembers the Job's pods as they are now, and returns the new ones. Pods that cannot be listed fail nothing.
func (r *jobRun) findPods(ctx context.Context) (fresh []sluice.Pod) {
	all, err := r.Account.Pods(ctx, r.ref.Namespace, r.ref)
	if err != nil {
		return nil
	}
	for _, p := range all {
		if p.Owner != r.ref.String() {
			continue
		}
		i := slices.IndexFunc(r.pods, func(known sluice.Pod) bool { return known.Name == p.Name })
		if i >= 0 {
			r.pods[i] = p
			continue
		}
		fresh = append(fresh, p)
	}
	r.pods = append(r.pods, fresh...)
	return fresh
}

// tail reports the lines of the pod and keeps the last ones. A log that cannot be read fails nothing.
func (r *jobRun) tail(ctx context.Context, p sluice.Pod) {
	for line, err := range r.Account.Tail(ctx, p.Namespace, p.Name) {
		if err != nil {
			return
		}
		line = line[:min(len(line), maxLine)]
		r.report(p.Name + ": " + line)
		r.mu.Lock()
		lines := append(r.lines[p.Name], line)
		r.lines[p.Name] = lines[max(0, len(lines)-tail):]
		r.mu.Unlock()
	}
}

// failure returns the error of a Job that did not succeed: why, and what its last pods said that failed.
func (r *jobRun) failure(ctx context.Context, state, why string) error {
	r.findPods(ctx)
	pods := slices.DeleteFunc(slices.Clone(r.pods), func(p sluice.Pod) bool { return p.Reason == "" && p.Restarts == 0 })
	if len(pods) == 0 {
		pods = r.pods
	}
	message, hint := r.ref.String()+" "+state+": "+why, "correct what it names and run it again"
	for _, p := range pods[max(0, len(pods)-maxPods):] {
		lines := r.lastLines(ctx, p)
		message += "\npod " + p.Name + ": " + condition(p) + quoted(lines)
		if len(lines) > 0 {
			hint = "look at the whole log with: sluice logs --pod " + r.ref.Namespace + "/" + p.Name
		}
	}
	return sluice.Errorf(sluice.Failed, "%s", message).WithHint("%s", hint)
}

// lastLines asks for the last lines of the pod. If it is gone they are the ones that were heard.
func (r *jobRun) lastLines(ctx context.Context, p sluice.Pod) []string {
	lines, err := r.Account.Logs(ctx, p.Namespace, p.Name, tail)
	if err == nil && len(lines) > 0 {
		return lines
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lines[p.Name]
}

// quoted puts each line on one of its own.
func quoted(lines []string) string {
	var b strings.Builder
	for _, line := range lines {
		b.WriteString("\n  " + line[:min(len(line), maxLine)])
	}
	return b.String()
}
