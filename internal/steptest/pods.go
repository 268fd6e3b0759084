package steptest

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
)

const crashing = "CrashLoopBackOff"

// sound reports whether the pods of the workload can become ready.
func (a *Account) sound(o sluice.Object) bool {
	return !a.stalled(o) && !strings.Contains(images(o), "unready")
}

// stalled reports whether it is known that they cannot become ready.
func (a *Account) stalled(o sluice.Object) bool {
	return strings.Contains(images(o), "broken") || slices.ContainsFunc(a.broken, func(image string) bool {
		return strings.Contains(images(o), image)
	})
}

// startSlowly keeps the pod of the StatefulSet from being ready for a while.
func (a *Account) startSlowly(ref sluice.Ref, name string) {
	key := ref.Namespace + "/" + name
	a.starting[key] = true
	time.AfterFunc(a.slow, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.starting, key)
		if o, ok := a.objects[ref]; ok {
			a.objects[ref] = a.settle(o.Clone())
			a.notify()
		}
	})
}

// podsOf returns the pods of a workload.
func (a *Account) podsOf(ref sluice.Ref) []sluice.Pod {
	if ref.Kind != "Deployment" {
		return a.podsAs(ref, a.objects[ref])
	}
	var pods []sluice.Pod
	for _, s := range a.sets[ref] {
		pods = append(pods, a.podsIn(ref, s)...)
	}
	return pods
}

// podsAs returns the pods of a workload other than a Deployment in the state of the object.
func (a *Account) podsAs(ref sluice.Ref, o sluice.Object) []sluice.Pod {
	if o == nil || !slices.Contains([]string{"StatefulSet", "Job"}, ref.Kind) {
		return nil
	}
	var pods []sluice.Pod
	for i := range o.Number(1, "spec", "replicas") {
		p := sluice.Pod{
			Namespace: ref.Namespace, Name: fmt.Sprintf("%s-%s-%d", ref.Name, hash(o), i), Owner: ref.String(),
			Image: images(o), Ready: a.sound(o), Revision: hash(o), Labels: labels(o),
		}
		if ref.Kind == "StatefulSet" {
			p.Name = fmt.Sprintf("%s-%d", ref.Name, i)
			p.Revision = o.Text("status", "pods", p.Name)
			p.Ready = p.Ready && !a.starting[ref.Namespace+"/"+p.Name]
			p.Labels["statefulset.kubernetes.io/pod-name"] = p.Name
		}
		switch {
		case ref.Kind == "Job" && strings.Contains(images(o), "fails"):
			p.Ready, p.Reason = false, "it ended with status 3"
		case a.stalled(o):
			p.Reason = crashing
		case !p.Ready:
			p.Reason = "its readiness probe fails"
		}
		pods = append(pods, a.lived(p))
	}
	return pods
}

func labels(o sluice.Object) map[string]string {
	all := map[string]string{}
	m, _ := asMap(o.Field("spec", "template", "metadata", "labels"))
	for k, v := range m {
		all[k] = fmt.Sprint(v)
	}
	return all
}

// pods lists those of the namespace by name.
func (a *Account) pods(namespace string) []sluice.Pod {
	var pods []sluice.Pod
	for ref := range a.objects {
		if namespace == "" || ref.Namespace == namespace {
			pods = append(pods, a.podsOf(ref)...)
		}
	}
	slices.SortFunc(pods, func(a, b sluice.Pod) int { return strings.Compare(a.Name, b.Name) })
	return pods
}

// selected returns the ready pods of the namespace that the selector selects.
func (a *Account) selected(namespace string, selector any) []sluice.Pod {
	m, _ := asMap(selector)
	return slices.DeleteFunc(a.pods(namespace), func(p sluice.Pod) bool {
		for k, v := range m {
			if p.Labels[k] != v {
				return true
			}
		}
		return !p.Ready
	})
}

// healthy is how many pods of the disruption budget are ready.
func (a *Account) healthy(budget sluice.Object) int {
	return len(a.selected(budget.Ref().Namespace, budget.Field("spec", "selector", "matchLabels")))
}

// Pods implements sluice.Host.
func (a *Account) Pods(ctx context.Context, namespace string, of ...sluice.Ref) ([]sluice.Pod, error) {
	if err := a.enter(ctx); err != nil {
		return nil, err
	}
	defer a.mu.Unlock()
	return slices.DeleteFunc(a.pods(namespace), func(p sluice.Pod) bool { return !p.IsOf(of) }), nil
}

// find returns NotFound if there is no such pod.
func (a *Account) find(ctx context.Context, namespace, pod string) error {
	if err := a.enter(ctx); err != nil {
		return err
	}
	if !slices.ContainsFunc(a.pods(namespace), func(p sluice.Pod) bool { return p.Name == pod }) {
		return a.refuse(sluice.NotFound, "there is no pod %s in %s", pod, namespace)
	}
	a.mu.Unlock()
	return nil
}

// Logs implements sluice.Host.
func (a *Account) Logs(ctx context.Context, namespace, pod string, _ int) ([]string, error) {
	return []string{"last words of " + pod}, a.find(ctx, namespace, pod)
}

// Tail implements sluice.Host.
func (a *Account) Tail(ctx context.Context, namespace, pod string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) { yield("a line of "+pod, a.find(ctx, namespace, pod)) }
}

// Exec implements sluice.Host.
func (a *Account) Exec(ctx context.Context, namespace, pod string, _ []string) (string, error) {
	if err := a.find(ctx, namespace, pod); err != nil {
		return "", err
	}
	return "", sluice.Errorf(sluice.Unsupported, "nothing runs here")
}

// Evict implements sluice.Host: the pod comes back at once as its workload's template has it.
func (a *Account) Evict(ctx context.Context, namespace, pod string) error {
	for {
		if err := a.enter(ctx); err != nil {
			return err
		}
		all := a.pods(namespace)
		at := slices.IndexFunc(all, func(p sluice.Pod) bool { return p.Name == pod })
		if at < 0 {
			a.mu.Unlock()
			return nil
		}
		if a.allows(all[at]) {
			a.replace(all[at])
			return a.wrote()
		}
		changed := a.changed
		a.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// allows reports whether no disruption budget forbids the eviction. The eviction of a pod that is not ready is always
// allowed.
func (a *Account) allows(p sluice.Pod) bool {
	if !p.Ready {
		return true
	}
	for _, ref := range a.refs(sluice.Ref{APIVersion: "policy/v1", Kind: "PodDisruptionBudget", Namespace: p.Namespace}) {
		budget := a.objects[ref]
		protected := slices.ContainsFunc(a.selected(p.Namespace, budget.Field("spec", "selector", "matchLabels")),
			func(other sluice.Pod) bool { return other.Name == p.Name })
		if protected && a.healthy(budget) <= budget.Number(0, "spec", "minAvailable") {
			return false
		}
	}
	return true
}

func (a *Account) replace(p sluice.Pod) {
	kind, name, _ := strings.Cut(p.Owner, "/")
	ref := sluice.Ref{APIVersion: "apps/v1", Kind: kind, Namespace: p.Namespace, Name: name}
	a.evicted = append(a.evicted, p.Name)
	if kind != "StatefulSet" {
		first, _, _ := strings.Cut(p.Name, "-again-")
		a.reborn[first]++
		return
	}
	o := a.objects[ref].Clone()
	pods, _ := asMap(o.Field("status", "pods"))
	delete(pods, p.Name)
	a.objects[ref] = a.settle(o)
}
