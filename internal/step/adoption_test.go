package step_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/delivery"
)

// promotion are the steps of the plan that installed makes.
var promotion = []string{"apply", "canary/0", "canary/1", "promote"}

// inBubble runs the test with version 1 installed, at a clock that waits for nobody.
func inBubble(t *testing.T, test func(t *testing.T, b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, installed(t)) })
}

func (b *bench) forth(t *testing.T, ids []string) map[string]sluice.Progress {
	t.Helper()
	done := map[string]sluice.Progress{}
	for _, id := range ids {
		done[id] = b.mustRun(t, id)
	}
	return done
}

func (b *bench) back(t *testing.T, ids []string, done map[string]sluice.Progress) {
	t.Helper()
	for _, id := range slices.Backward(ids) {
		if err := b.must(t, id).Undo(t.Context(), done[id]); err != nil {
			t.Fatalf("undo %s: %v", id, err)
		}
	}
}

// onceAtWrite calls act after the first write that leaves the stable Deployment as is says.
func (b *bench) onceAtWrite(t *testing.T, is func(sluice.Object) bool, act func()) {
	done := false
	b.account.AfterWrite(func() {
		if done || !is(b.get(t, web)) {
			return
		}
		done = true
		act()
	})
	t.Cleanup(func() {
		if !done {
			t.Error("the moment never came")
		}
	})
}

// A worker that an autoscaler scales to zero during a rollout is promoted all the same.
func TestDeploymentScaledToZeroIsPromoted(t *testing.T) {
	for _, served := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench()
			b.account.DivideByPods()
			version := func(v string) []sluice.Object {
				if served {
					return []sluice.Object{service("web"), workload("Deployment", "web", "web:"+v)}
				}
				return []sluice.Object{workload("Deployment", "web", "web:"+v)}
			}
			b.add("install", applying(true, version("1")...))
			b.mustRun(t, "install")
			b.plan.Steps = nil
			b.add("apply", applying(true, version("2")...)).add("canary/0", weight(50)).add("promote", promoting())
			b.forth(t, []string{"apply", "canary/0"})
			if err := b.account.Scale(t.Context(), web, 0); err != nil {
				t.Fatal(err)
			}
			b.mustRun(t, "promote")
			if o := b.get(t, web); imageIn(o) != "web:2" || o.Field("spec", "paused") == true {
				t.Errorf("served %t: it ends as %v", served, o)
			}
		})
	}
}

// An autoscaler that scales a Deployment down while its old version comes back does not hold up the undo.
func TestUndoOfADeploymentThatIsScaledDownMeanwhile(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		done := b.forth(t, promotion)
		isOnItsWay := func(o sluice.Object) bool { return o.Number(0, "spec", "minReadySeconds") > 0 }
		b.onceAtWrite(t, isOnItsWay, func() {
			if err := b.account.Scale(t.Context(), web, 2); err != nil {
				t.Error(err)
			}
		})
		b.back(t, promotion, done)
	})
}

// An unready pod that the target tolerates holds up neither the growth of a Deployment nor its undo.
func TestToleratedPodHoldsUpNoAdoption(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.plan.Steps[0].Apply.Objects[4].Set(int64(5), "spec", "replicas")
		b.tolerates = sluice.Tolerance{Pods: 1}
		old := b.podOf(t, "Deployment/web")
		done := b.forth(t, promotion[:3])
		b.account.SetReady(namespace, b.podOf(t, "Deployment/web-canary"), false)
		done["promote"] = b.mustRun(t, "promote")
		b.account.SetReady(namespace, old, false)
		b.back(t, promotion, done)
	})
}

func (b *bench) podOf(t *testing.T, owner string) string {
	t.Helper()
	pods, err := b.account.Pods(t.Context(), namespace)
	if err != nil {
		t.Fatal(err)
	}
	return pods[slices.IndexFunc(pods, func(p sluice.Pod) bool { return p.Owner == owner })].Name
}

// While a Deployment is paused for the adoption it has no progress deadline, so that its controller does not write that
// it is paused. A deadline that somebody else has set stays, and the pods are adopted all the same.
func TestPausedDeploymentHasNoProgressDeadline(t *testing.T) {
	const noDeadline = math.MaxInt32
	for name, test := range map[string]struct{ others, during int }{
		"nobody has set one":     {0, noDeadline},
		"somebody else sets one": {45, 45},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bench) {
				if test.others > 0 {
					b.account.Edit(web, func(o sluice.Object) { o.Set(int64(test.others), "spec", "progressDeadlineSeconds") })
				}
				b.forth(t, promotion[:3])
				isPaused := func(o sluice.Object) bool { return o.Field("spec", "paused") == true }
				b.onceAtWrite(t, isPaused, func() {
					if got := b.get(t, web).Number(0, "spec", "progressDeadlineSeconds"); got != test.during {
						t.Errorf("its deadline is %d", got)
					}
				})
				done := b.mustRun(t, "promote")
				if strings.Contains(done.Message, "could not take over") {
					t.Error(done.Message)
				}
				if got := b.get(t, web).Number(0, "spec", "progressDeadlineSeconds"); got != test.others {
					t.Errorf("it ends with a deadline of %d", got)
				}
			})
		})
	}
}

// The canary has the number that the version of its Deployment will have, and no deadline that its controller watches.
func TestCanaryLeavesItsControllerNothingToWrite(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		const revision = "deployment.kubernetes.io/revision"
		b.account.EditAs("kube-controller-manager", web, func(o sluice.Object) {
			o.Set("6", "metadata", "annotations", revision)
		})
		b.forth(t, promotion[:1])
		canary := b.get(t, delivery.CanaryOf(web))
		if got := canary.Text("metadata", "annotations", revision); got != "7" {
			t.Errorf("its number is %q", got)
		}
		if got := canary.Number(0, "spec", "progressDeadlineSeconds"); got != math.MaxInt32 {
			t.Errorf("its deadline is %d", got)
		}
	})
}

// Where others set how the pods of a Deployment are replaced, they are replaced like that.
func TestStrategyOfOthersStays(t *testing.T) {
	for name, set := range map[string]func(sluice.Object){
		"maxSurge":        func(o sluice.Object) { o.Set(int64(1), "spec", "strategy", "rollingUpdate", "maxSurge") },
		"minReadySeconds": func(o sluice.Object) { o.Set(int64(1), "spec", "minReadySeconds") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench()
				b.add("install", applying(true, workload("Deployment", "web", "web:1")))
				b.mustRun(t, "install")
				b.plan.Steps = nil
				b.add("apply", applying(true, workload("Deployment", "web", "web:2"))).add("promote", promoting())
				b.account.Edit(web, set)
				was := b.account.Snapshot()
				done := b.forth(t, []string{"apply", "promote"})
				b.back(t, []string{"apply", "promote"}, done)
				if diff := cmp.Diff(was, b.account.Snapshot()); diff != "" {
					t.Errorf("undone (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// A Deployment that somebody paused is promoted and stays paused. Its undo asks to resume it, and works then.
func TestPauseOfOthersStays(t *testing.T) {
	for _, manager := range []string{"kubectl-rollout", "somebody"} {
		inBubble(t, func(t *testing.T, b *bench) {
			was := b.account.Snapshot()
			b.account.EditAs(manager, web, func(o sluice.Object) { o.Set(true, "spec", "paused") })
			done := b.forth(t, promotion)
			promoted := b.get(t, web)
			if promoted.Field("spec", "paused") != true || imageIn(promoted) != "web:2" {
				t.Errorf("%s: it ends as %v", manager, promoted)
			}
			err := b.must(t, "promote").Undo(t.Context(), done["promote"])
			if sluice.ErrorCode(err) != sluice.Conflict || !strings.Contains(err.Error(), "somebody paused Deployment/web") {
				t.Errorf("%s: the undo says %v", manager, err)
			}
			b.account.EditAs(manager, web, func(o sluice.Object) { delete(o["spec"].(map[string]any), "paused") })
			b.back(t, promotion, done)
			if diff := cmp.Diff(was, b.account.Snapshot()); diff != "" {
				t.Errorf("%s: undone (-want +got):\n%s", manager, diff)
			}
		})
	}
}

// If somebody deletes a canary with its pods in the middle of their adoption, the undo brings the old version back.
func TestUndoWithNothingLeftToAdopt(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		was := b.account.Snapshot()
		done := b.forth(t, promotion[:3])
		s := b.must(t, "promote")
		preview, err := s.Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		isHandedOver := func(o sluice.Object) bool { return o.Field("spec", "paused") == true }
		b.onceAtWrite(t, isHandedOver, func() {
			if err := b.account.Delete(t.Context(), webCanary); err != nil {
				t.Error(err)
			}
		})
		p, err := s.Start(t.Context(), sluice.Progress{Snapshot: preview.Snapshot})
		if sluice.ErrorCode(err) != sluice.Failed {
			t.Errorf("promote says %v", err)
		}
		p.Snapshot = preview.Snapshot
		done["promote"] = p
		b.back(t, promotion, done)
		if diff := cmp.Diff(was, b.account.Snapshot()); diff != "" {
			t.Errorf("undone (-want +got):\n%s", diff)
		}
	})
}

// kubectl rollout undo copies the annotations of a ReplicaSet, which are those of the canary that it had, to the
// Deployment. They do not make the Deployment one of another state directory.
func TestReleaseAfterRolloutUndo(t *testing.T) {
	b := installed(t)
	b.deps.Knows = func(context.Context, sluice.DeploymentID) (bool, error) { return false, nil }
	b.account.EditAs("kubectl-rollout", web, func(o sluice.Object) {
		o.Set("d0", "metadata", "annotations", delivery.MadeBy)
	})
	b.mustRun(t, "apply")
}

// A version of the configuration belongs to the Deployment too, as long as its pods use it: the replica set of the
// canary may go when others have changed the Deployment, or when its pods could not be adopted.
func TestVersionOfConfigurationBelongsToTheDeployment(t *testing.T) {
	b := installed(t)
	set := ref("apps/v1", "ReplicaSet", delivery.ReplicaSetOf(deployment, "web"))
	if _, _, err := b.account.Apply(t.Context(), object(set.APIVersion, set.Kind, set.Name, nil), false); err != nil {
		t.Fatal(err)
	}
	b.forth(t, promotion)
	names := b.get(t, web).List("spec", "template", "spec", "containers")[0].List("envFrom")
	version := ref("v1", "ConfigMap", names[0].Text("configMapRef", "name"))
	if got := b.ownersOf(t, version); !slices.Equal(got, []string{"ReplicaSet", "Deployment"}) {
		t.Errorf("in use it belongs to %v", got)
	}
	b.id, b.plan.Steps = "d2", nil
	b.add("apply", applying(true, release("3")...)).add("promote", promoting())
	done := b.forth(t, []string{"apply", "promote"})
	if err := b.must(t, "promote").Finish(t.Context(), done["promote"]); err != nil {
		t.Fatal(err)
	}
	if got := b.ownersOf(t, version); !slices.Equal(got, []string{"ReplicaSet"}) {
		t.Errorf("after the next release it belongs to %v", got)
	}
}

func (b *bench) ownersOf(t *testing.T, r sluice.Ref) (kinds []string) {
	t.Helper()
	for _, o := range b.get(t, r).List("metadata", "ownerReferences") {
		kinds = append(kinds, o.Text("kind"))
	}
	return kinds
}

// An autoscaler that wants fewer pods than the file says keeps its number through promotion.
func TestPromotionWithFewerPodsThanTheFileSays(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.account.Edit(web, func(o sluice.Object) { o.Set(int64(2), "spec", "replicas") })
		was := b.account.Snapshot()
		done := b.forth(t, promotion)
		if o := b.get(t, web); !ready(o, 2) || imageIn(o) != "web:2" {
			t.Errorf("it ends as %v", o)
		}
		b.back(t, promotion, done)
		if diff := cmp.Diff(was, b.account.Snapshot()); diff != "" {
			t.Errorf("undone (-want +got):\n%s", diff)
		}
	})
}

// A Deployment that a deployment has left in the middle of its promotion waits for pods that may never come. The next
// release ends that.
func TestReleaseAfterAPromotionThatWasLeft(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.forth(t, promotion[:3])
		s := b.must(t, "promote")
		preview, err := s.Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, kill := context.WithCancel(t.Context())
		b.onceAtWrite(t, func(o sluice.Object) bool { return o.Field("spec", "paused") == true }, kill)
		if _, err := s.Start(ctx, sluice.Progress{Snapshot: preview.Snapshot}); err == nil {
			t.Fatal("it was not interrupted")
		}
		b.id, b.plan.Steps = "d2", nil
		b.add("apply", applying(true, release("3")...)).add("promote", promoting())
		preview, err = b.must(t, "apply").Check(t.Context())
		want := "Deployment/web was left in the middle of a promotion, so it goes straight to 100 %"
		if err != nil || !slices.Contains(preview.Notes, want) {
			t.Errorf("the notes are %v, %v; want %s", preview.Notes, err, want)
		}
		b.forth(t, []string{"apply", "promote"})
		if o := b.get(t, web); !ready(o, 3) || imageIn(o) != "web:3" || o.Field("spec", "paused") == true {
			t.Errorf("it ends as %v", o)
		}
		if b.get(t, webCanary) != nil {
			t.Error("the canary is left")
		}
	})
}

// A Deployment that cannot be brought back does not keep the others from it.
func TestUndoBringsTheOtherDeploymentsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := ref("apps/v1", "Deployment", "api")
		version := func(v string) sluice.StepSpec {
			return applying(true, workload("Deployment", "api", "api:"+v), workload("Deployment", "web", "web:"+v))
		}
		b := newBench()
		b.add("install", version("1"))
		b.mustRun(t, "install")
		b.plan.Steps = nil
		b.add("apply", version("2")).add("promote", promoting())
		b.account.Edit(api, func(o sluice.Object) { o.Set(true, "spec", "paused") })
		done := b.forth(t, []string{"apply", "promote"})
		err := b.must(t, "promote").Undo(t.Context(), done["promote"])
		if sluice.ErrorCode(err) != sluice.Conflict || !strings.Contains(err.Error(), "Deployment/api") {
			t.Errorf("the undo says %v", err)
		}
		if got := imageIn(b.get(t, web)); got != "web:1" {
			t.Errorf("the other Deployment has %s", got)
		}
	})
}

// A Deployment that its manifest pauses is promoted, and undone without help.
func TestDeclaredPauseIsUndone(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		was := b.account.Snapshot()
		b.plan.Steps[0].Apply.Objects[4].Set(true, "spec", "paused")
		done := b.forth(t, promotion)
		if o := b.get(t, web); o.Field("spec", "paused") != true || imageIn(o) != "web:2" {
			t.Errorf("it ends as %v", o)
		}
		b.back(t, promotion, done)
		if diff := cmp.Diff(was, b.account.Snapshot()); diff != "" {
			t.Errorf("undone (-want +got):\n%s", diff)
		}
	})
}

// A release that leaves a Deployment without pods needs no canary.
func TestReleaseToZeroPods(t *testing.T) {
	for _, byPods := range []bool{false, true} {
		inBubble(t, func(t *testing.T, b *bench) {
			if byPods {
				b.account.DivideByPods()
			}
			was := b.account.Snapshot()
			b.plan.Steps[0].Apply.Objects[4].Set(int64(0), "spec", "replicas")
			done := b.forth(t, promotion)
			if o := b.get(t, web); !ready(o, 0) || imageIn(o) != "web:2" {
				t.Errorf("by pods %t: it ends as %v", byPods, o)
			}
			b.back(t, promotion, done)
			if diff := cmp.Diff(was, b.account.Snapshot()); diff != "" {
				t.Errorf("undone (-want +got):\n%s", diff)
			}
		})
	}
}

// Fields that others have set in the template of a Deployment, such as kubectl rollout restart, are in that of the
// canary too. So its pods can be adopted.
func TestPodsWithFieldsOfOthersAreAdopted(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.account.EditAs("kubectl-rollout", web, func(o sluice.Object) {
			o.Set("noon", "spec", "template", "metadata", "annotations", "kubectl.kubernetes.io/restartedAt")
		})
		was := b.account.Snapshot()
		done := b.forth(t, promotion)
		if text := done["promote"].Message; strings.Contains(text, "could not take over") {
			t.Error(text)
		}
		b.back(t, promotion, done)
		if diff := cmp.Diff(was, b.account.Snapshot()); diff != "" {
			t.Errorf("undone (-want +got):\n%s", diff)
		}
	})
}
