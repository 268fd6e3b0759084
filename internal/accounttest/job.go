package accounttest

import (
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

var running = []scenario{
	{"a Job that is gone is last seen as it ended", nil, (*run).expiringJob},
	{"the pods of a failed Job say how they ended", nil, (*run).failedJob},
	{"the pods of a failed Job keep their lines", []Ability{Processes}, (*run).failedLines},
}

// job is a Job that runs the program once.
func (r *run) job(p Program) sluice.Object {
	r.Helper()
	o := r.read(`
apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec: {backoffLimit: 0, template: {spec: {restartPolicy: Never}}}`)
	o.Set([]any{r.Container(p, 1)}, "spec", "template", "spec", "containers")
	return o
}

func (r *run) expiringJob() {
	for program, want := range map[Program]manifest.Phase{Ends: manifest.Ready, Fails: manifest.Failed} {
		job := r.job(program)
		job.Set(int64(0), "spec", "ttlSecondsAfterFinished")
		applied := false
		for o, err := range r.Follow(r.ctx, job.Ref()) {
			r.must(err)
			if !applied {
				r.apply(job)
				applied = true
				continue
			}
			if told(o) == "once=!" {
				o = o.Clone()
				delete(o["metadata"].(map[string]any), "deletionTimestamp")
				if got := manifest.Status(o); got.Phase != want {
					r.Errorf("it %s and is gone as %+v", program, got)
				}
				break
			}
		}
	}
}

// failed runs a Job that fails and returns its pod.
func (r *run) failed() sluice.Pod {
	r.Helper()
	job := r.job(Fails)
	r.apply(job)
	r.await(job.Ref(), "failed", func(o sluice.Object) bool { return manifest.Status(o).Phase == manifest.Failed })
	pods := r.pods("Job/once")
	if len(pods) != 1 {
		r.Fatalf("it has the pods %+v", pods)
	}
	return pods[0]
}

func (r *run) failedJob() {
	if p := r.failed(); p.Ready || !strings.Contains(p.Reason, "with status 3") {
		r.Errorf("its pod is %+v", p)
	}
}

func (r *run) failedLines() {
	lines, err := r.Logs(r.ctx, r.Namespace, r.failed().Name, 5)
	r.must(err)
	if strings.Join(lines, " ") != "no such table" {
		r.Errorf("its pod said %q", lines)
	}
}
