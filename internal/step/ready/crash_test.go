package ready

import (
	"context"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-cd/sluice"
)

// A moment is the state of a Deployment with one pod from an instant on.
type moment struct {
	at       time.Duration
	ready    int
	restarts int
	silent   bool // no event tells of it
}

// A crashing account has one Deployment, whose pod crashes at known instants.
type crashing struct {
	sluice.ClusterReader
	sluice.Host
	began   time.Time
	moments []moment
}

func (c *crashing) now() (last moment) {
	for _, m := range c.moments {
		if m.at <= time.Since(c.began) {
			last = m
		}
	}
	return last
}

func (c *crashing) Follow(ctx context.Context, ref sluice.Ref) iter.Seq2[sluice.Object, error] {
	deployment := func(m moment) sluice.Object {
		return sluice.Object{
			"apiVersion": ref.APIVersion, "kind": ref.Kind, "metadata": map[string]any{"name": ref.Name},
			"spec": map[string]any{"replicas": 1}, "status": map[string]any{
				"replicas": 1, "updatedReplicas": 1, "readyReplicas": m.ready, "availableReplicas": m.ready},
		}
	}
	return func(yield func(sluice.Object, error) bool) {
		if !yield(deployment(c.now()), nil) {
			return
		}
		for _, m := range c.moments {
			if m.silent || m.at <= time.Since(c.began) {
				continue
			}
			select {
			case <-time.After(m.at - time.Since(c.began)):
				if !yield(deployment(m), nil) {
					return
				}
			case <-ctx.Done():
				yield(nil, ctx.Err())
				return
			}
		}
		<-ctx.Done()
		yield(nil, ctx.Err())
	}
}

func (c *crashing) Pods(context.Context, string, ...sluice.Ref) ([]sluice.Pod, error) {
	return []sluice.Pod{{Name: "web-1", Owner: "Deployment/web", Ready: c.now().ready == 1, Restarts: c.now().restarts,
		LastEnd: "it ended with status 3"}}, nil
}

func (c *crashing) Logs(context.Context, string, string, int) ([]string, error) {
	return []string{"no more coffee"}, nil
}

// waitFor waits until the Deployment is ready, a minute at most. It returns how long that took and what was reported.
func waitFor(t *testing.T, moments []moment) (took time.Duration, said []string, err error) {
	synctest.Test(t, func(t *testing.T) {
		a := &crashing{began: time.Now(), moments: moments}
		w := Waiter{Account: sluice.Account{ClusterReader: a, Host: a}, Deadline: time.Now().Add(time.Minute),
			Now: time.Now, Report: func(p sluice.Progress) { said = append(said, p.Message) }}
		err = w.Ready(t.Context(), []sluice.Ref{{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}})
		took = time.Since(a.began)
	})
	return took, said, err
}

// Of a pod that crashes while its workload is awaited the report says so at once, but not that it crashed before.
func TestACrashIsReported(t *testing.T) {
	_, said, err := waitFor(t, []moment{{0, 0, 8, false}, {1 * time.Second, 0, 9, false}, {2 * time.Second, 1, 9, false}})
	if err != nil {
		t.Fatal(err)
	}
	const crash = "\npod web-1 crashed: it ended with status 3 (restarts: 9)\n  no more coffee"
	if len(said) < 2 || strings.Contains(said[0], "crashed") {
		t.Fatalf("%q", said)
	}
	if !strings.HasSuffix(said[1], crash) {
		t.Errorf("%q does not end with %q", said[1], crash)
	}
}

// A pod that crashes during a wait is ready again for a moment after each restart. So its workload must stay ready.
func TestAWorkloadThatCrashedMustStayReady(t *testing.T) {
	const s = time.Second
	for name, tt := range map[string]struct {
		moments []moment
		want    time.Duration
	}{
		"it never crashed":       {[]moment{{0, 0, 0, false}, {3 * s, 1, 0, false}}, 3 * s},
		"it crashed before":      {[]moment{{0, 0, 7, false}, {3 * s, 1, 7, false}}, 3 * s},
		"it was ready at once":   {[]moment{{0, 1, 7, false}}, 0},
		"it crashed and is well": {[]moment{{0, 0, 0, false}, {2 * s, 0, 1, false}, {3 * s, 1, 1, false}}, 13 * s},
		"it crashes again": {[]moment{{0, 0, 0, false}, {2 * s, 0, 1, false}, {3 * s, 1, 1, false},
			{8 * s, 0, 2, false}, {20 * s, 1, 2, false}}, 30 * s},
		"no event told of the first crash": {[]moment{{0, 0, 0, false}, {3 * s, 1, 1, false}}, 13 * s},
		"no event tells of the second": {[]moment{{0, 0, 0, false}, {2 * s, 0, 1, false}, {3 * s, 1, 1, false},
			{8 * s, 1, 2, true}}, 23 * s},
	} {
		t.Run(name, func(t *testing.T) {
			took, said, err := waitFor(t, tt.moments)
			if err != nil || took != tt.want {
				t.Errorf("it took %s, want %s: %v\n%q", took, tt.want, err, said)
			}
			const settles = "Deployment/web: a pod crashed; it must stay ready for 10s"
			if got := slices.Contains(said, settles); got != (tt.want > 10*s) {
				t.Errorf("it says that the Deployment must stay ready: %v\n%q", got, said)
			}
		})
	}
}

// A deadline in the time in which a workload must stay ready is a failure: the next crash may only be late.
func TestAWorkloadThatCrashesUntilTheDeadlineFails(t *testing.T) {
	_, _, err := waitFor(t, []moment{{0, 0, 0, false}, {50 * time.Second, 0, 1, false}, {55 * time.Second, 1, 1, false}})
	if sluice.ErrorCode(err) != sluice.Failed || !strings.Contains(err.Error(), "a pod crashed") ||
		!strings.Contains(err.Error(), "no more coffee") {
		t.Errorf("%v", err)
	}
}
