package step_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/steptest"
)

func TestFirstApply(t *testing.T) {
	steptest.Run(t, func(*testing.T) steptest.World {
		objects := append(release("1"), object("batch/v1", "Job", "migrate",
			map[string]any{"spec": map[string]any{"template": podTemplate("migrate", "migrate:1")}}))
		return newBench().add("apply", applying(true, objects...)).world("apply")
	})
}

func TestRollingApply(t *testing.T) {
	steptest.Run(t, func(t *testing.T) steptest.World {
		b := installed(t)
		b.plan.Steps[0].Apply.Canary = false
		return b.world("apply")
	})
}

func TestCanaryApply(t *testing.T) {
	steptest.Run(t, func(t *testing.T) steptest.World { return installed(t).world("apply") })
}

func TestSetWeight(t *testing.T) {
	steptest.Run(t, func(t *testing.T) steptest.World {
		b := installed(t)
		b.mustRun(t, "apply")
		b.mustRun(t, "canary/0")
		return b.world("canary/1")
	})
}

func TestPromote(t *testing.T) {
	steptest.Run(t, func(t *testing.T) steptest.World {
		b := installed(t)
		b.mustRun(t, "apply")
		b.mustRun(t, "canary/0")
		clear(b.results) // whose canary is gone once promote was undone, after which an engine does not start it again
		w := b.world("promote")
		// The canary does not come back: the traffic is not sent to what is being undone.
		w.Snapshot = func() string {
			var kept []string
			for _, line := range strings.Split(b.account.Snapshot(), "\n}\n") {
				if !strings.Contains(line, "sluice-cd.github.io/deployment") && !strings.HasPrefix(line, "weight") {
					kept = append(kept, strings.TrimRight(line, "\n}"))
				}
			}
			return strings.Join(kept, "\n")
		}
		return w
	})
}

func TestRunJob(t *testing.T) {
	steptest.Run(t, func(*testing.T) steptest.World {
		return newBench().add("after/0", job("check:1")).world("after/0")
	})
}

func job(image string) sluice.StepSpec {
	return sluice.StepSpec{Kind: sluice.KindRunJob, RunJob: &sluice.RunJob{Name: "check", Timeout: time.Minute,
		Job: object("batch/v1", "Job", "check", map[string]any{
			"spec": map[string]any{"template": podTemplate("check", image)},
		})}}
}

func TestPause(t *testing.T) {
	for name, spec := range map[string]sluice.Pause{
		"timed":    {Duration: time.Hour},
		"approved": {UntilApproved: true, RequiresRoles: []string{"lead"}},
	} {
		t.Run(name, func(t *testing.T) {
			steptest.Run(t, func(*testing.T) steptest.World {
				b := newBench().add("before/0", sluice.StepSpec{Kind: sluice.KindPause, Pause: &spec})
				return b.gate("before/0", sluice.Signal{Kind: sluice.SignalApprove, By: sluice.Actor{Name: "ada"}})
			})
		})
	}
}

// gate is a step that only decides: nothing of it is undone, and time and the signal end its waits.
func (b *bench) gate(id string, signal sluice.Signal) steptest.World {
	w := b.world(id)
	w.Keeps, w.Crash = true, nil
	w.Arrive = func(p sluice.Progress) sluice.Progress {
		if p.Wait.Until.IsZero() || len(p.Wait.Signals) > 0 && signal.Kind == sluice.SignalCallback {
			p.Signals = append(p.Signals, signal)
			return p
		}
		b.now = p.Wait.Until
		return p
	}
	return w
}

func TestWaitFor(t *testing.T) {
	steptest.Run(t, func(*testing.T) steptest.World {
		b := newBench(workload("StatefulSet", "db", "db:1"))
		b.add("before/0", sluice.StepSpec{Kind: sluice.KindWaitFor, WaitFor: &sluice.WaitFor{
			Object: "StatefulSet/db", JSONPath: "{.status.readyReplicas}", Value: "3", Timeout: time.Minute}})
		return b.gate("before/0", sluice.Signal{})
	})
}

func TestExposeServices(t *testing.T) {
	steptest.Run(t, func(*testing.T) steptest.World {
		b := newBench(service("web"))
		b.account.SetAddress(namespace, "web", 80, "127.0.0.9:80")
		b.add("canary/0", sluice.StepSpec{Kind: sluice.KindExposeServices,
			ExposeServices: &sluice.ExposeServices{Services: []string{"web"}, TTL: time.Hour}})
		return b.gate("canary/0", sluice.Signal{})
	})
}

func TestAnalysis(t *testing.T) {
	steptest.Run(t, func(*testing.T) steptest.World {
		b := newBench().add("canary/0", analysing(nil))
		b.deps.Metrics = map[string]sluice.Metrics{"prometheus": answers{}}
		return b.gate("canary/0", sluice.Signal{})
	})
}

func TestRunWebhook(t *testing.T) {
	steptest.Run(t, func(t *testing.T) steptest.World {
		server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		t.Cleanup(server.Close)
		b := newBench().add("after/0", calling(sluice.Webhook{Name: "tests", URITemplate: server.URL}))
		b.deps.Callbacks = callbacks
		return b.gate("after/0", sluice.Signal{Kind: sluice.SignalCallback, Success: true})
	})
}
