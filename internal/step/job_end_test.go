package step_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/steptest"
)

// expiring is a Job that is deleted as soon as it has ended.
func expiring(name, image string) sluice.Object {
	return object("batch/v1", "Job", name, map[string]any{"spec": map[string]any{
		"ttlSecondsAfterFinished": int64(0), "template": podTemplate(name, image),
	}})
}

func running(o sluice.Object) sluice.StepSpec {
	return sluice.StepSpec{Kind: sluice.KindRunJob, RunJob: &sluice.RunJob{Name: "check", Timeout: time.Minute, Job: o}}
}

func TestExpiringJobCountsAsItEnded(t *testing.T) {
	for image, code := range map[string]sluice.Code{"check:1": "", "check:fails": sluice.Failed} {
		for kind, spec := range map[string]sluice.StepSpec{
			"run": running(expiring("check", image)), "applied": applying(false, expiring("check", image)),
		} {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				b := newBench().add("after/0", spec)
				_, err := b.run(t, "after/0")
				if sluice.ErrorCode(err) != code || time.Since(began) > 0 {
					t.Errorf("%s, %s: after %s got %v", kind, image, time.Since(began), err)
				}
				for _, part := range []string{"status 3", "last words of check-", "pod check-"} {
					if err != nil && !strings.Contains(err.Error(), part) {
						t.Errorf("%s: %q is not in %v", kind, part, err)
					}
				}
			})
		}
	}
}

func TestExpiringJobConformance(t *testing.T) {
	steptest.Run(t, func(*testing.T) steptest.World {
		return newBench().add("apply", applying(true, expiring("migrate", "migrate:1"), configMap("web", "1"))).world("apply")
	})
	steptest.Run(t, func(*testing.T) steptest.World {
		return newBench().add("after/0", running(expiring("check", "check:1"))).world("after/0")
	})
}

// However often a deployment is killed, a Job that has succeeded does not run again, also if the cluster deletes it.
func TestExpiringJobRunsOnce(t *testing.T) {
	for writes := 1; ; writes++ {
		b := newBench().add("apply", applying(true, expiring("migrate", "migrate:1"), configMap("web", "1")))
		runs := map[string]bool{}
		b.account.AfterWrite(func() {
			if o, err := b.account.Get(t.Context(), ref("batch/v1", "Job", "migrate")); err == nil {
				runs[o.Text("metadata", "uid")] = true
			}
		})
		preview, err := b.must(t, "apply").Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		restart := b.account.Crash(writes)
		p, crashed := sluice.Progress{Snapshot: preview.Snapshot}, false
		for p.State != sluice.Done {
			verb := b.must(t, "apply").Start
			if p.State == sluice.Running {
				verb = b.must(t, "apply").Observe
			}
			next, err := verb(t.Context(), p)
			if sluice.ErrorCode(err) == sluice.Unavailable && !crashed {
				crashed = restart()
				continue
			}
			if err != nil {
				t.Fatalf("killed after %d writes: %v", writes, err)
			}
			p = next
		}
		if len(runs) != 1 || b.get(t, ref("batch/v1", "Job", "migrate")) != nil {
			t.Errorf("killed after %d writes, the Job ran %d times; it is %v", writes, len(runs),
				b.get(t, ref("batch/v1", "Job", "migrate")))
		}
		if !crashed {
			return
		}
	}
}

// begun is a step whose Job runs.
func begun(t *testing.T, b *bench) (observe func() error, job sluice.Ref) {
	t.Helper()
	b.add("after/0", job1)
	s := b.must(t, "after/0")
	preview, err := s.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Start(t.Context(), sluice.Progress{Snapshot: preview.Snapshot})
	if err != nil {
		t.Fatal(err)
	}
	jobs, err := b.account.List(t.Context(), "batch/v1", "Job", namespace)
	if err != nil || len(jobs) != 1 {
		t.Fatalf("%d Jobs, %v", len(jobs), err)
	}
	b.account.Amend(jobs[0].Ref(), func(o sluice.Object) { delete(o, "status") })
	return func() error { _, err := s.Observe(t.Context(), p); return err }, jobs[0].Ref()
}

var job1 = job("check:1")

func condition(name string) func(sluice.Object) {
	return func(o sluice.Object) {
		o["status"] = map[string]any{"conditions": []any{
			map[string]any{"type": name, "status": "True", "message": "because of " + name},
		}}
	}
}

// A Job that somebody deletes counts as what it had done by then. It is not waited for.
func TestDeletedJobCountsAsWhatItDid(t *testing.T) {
	for last, says := range map[string]string{
		"Complete": "", "SuccessCriteriaMet": "", "Failed": "because of Failed", "FailureTarget": "because of FailureTarget",
		"Suspended": "it is gone, and Sluice did not see it end",
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench()
			observe, ref := begun(t, b)
			began := time.Now()
			go func() {
				time.Sleep(time.Second)
				b.account.Amend(ref, condition(last))
				if err := b.account.Delete(t.Context(), ref); err != nil {
					t.Error(err)
				}
			}()
			err := observe()
			if took := time.Since(began); took != time.Second {
				t.Errorf("%s: it took %s", last, took)
			}
			if says == "" && err != nil || says != "" && (sluice.ErrorCode(err) != sluice.Failed ||
				!strings.Contains(err.Error(), says)) {
				t.Errorf("%s: got %v", last, err)
			}
		})
	}
}

func TestJobThatIsGoneIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		observe, ref := begun(t, b)
		if err := b.account.Delete(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		err := observe()
		if sluice.ErrorCode(err) != sluice.Failed || !strings.Contains(err.Error(), "it is gone") ||
			time.Since(began) > 0 {
			t.Errorf("after %s got %v", time.Since(began), err)
		}
	})
}

// A tidy account's Job controller deletes the pods of a Job that has failed.
type tidy struct {
	*steptest.Account
	failed atomic.Bool
}

func (a *tidy) Pods(ctx context.Context, namespace string, of ...sluice.Ref) ([]sluice.Pod, error) {
	if a.failed.Load() {
		return nil, nil
	}
	return a.Account.Pods(ctx, namespace, of...)
}

func (a *tidy) Logs(context.Context, string, string, int) ([]string, error) {
	return nil, sluice.Errorf(sluice.NotFound, "there is no such pod")
}

func TestFailedJobShowsWhatDeletedPodsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		host := &tidy{Account: b.account}
		account := b.account.Abilities()
		account.Host = host
		b.deps.Accounts["cluster"] = account
		observe, ref := begun(t, b)
		go func() {
			time.Sleep(time.Second)
			host.failed.Store(true)
			b.account.Amend(ref, condition("Failed"))
		}()
		err := observe()
		if sluice.ErrorCode(err) != sluice.Failed || !strings.Contains(err.Error(), "a line of "+ref.Name) {
			t.Errorf("got %v", err)
		}
	})
}

// A suspended Job has done nothing yet. One that is declared so is as it should be.
func TestSuspendedJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		observe, ref := begun(t, b)
		b.account.Amend(ref, condition("Suspended"))
		if err := observe(); sluice.ErrorCode(err) != sluice.Failed || !strings.Contains(err.Error(), "it is suspended") {
			t.Errorf("got %v", err)
		}
		suspended := expiring("later", "later:1")
		suspended.Set(true, "spec", "suspend")
		b.account.Serve("batch/v1", "Job")
		b.add("apply", applying(false, suspended))
		b.mustRun(t, "apply")
	})
}

// A wait for an object that is gone ends with what the object had become.
func TestWaitForSeesTheLastState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(expiring("other", "other:1"))
		b.add("before/0", sluice.StepSpec{Kind: sluice.KindWaitFor,
			WaitFor: &sluice.WaitFor{Object: "Job/other", Condition: "Complete", Timeout: time.Minute}})
		go func() {
			time.Sleep(time.Second)
			if _, _, err := b.account.Apply(t.Context(), expiring("other", "other:1"), false); err != nil {
				t.Error(err)
			}
		}()
		began := time.Now()
		b.mustRun(t, "before/0")
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %s", took)
		}
	})
}
