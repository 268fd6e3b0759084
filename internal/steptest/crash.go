package steptest

import (
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
)

// lastEnd is how the programs of restarted pods have ended.
const lastEnd = "it ended with status 3"

// Restart restarts the pod, which is ready again at once.
func (a *Account) Restart(namespace, pod string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.restarts[namespace+"/"+pod]++
	a.touch(namespace, pod)
}

// SetReady says whether the readiness probe of the pod succeeds.
func (a *Account) SetReady(namespace, pod string, ready bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.unready[namespace+"/"+pod] = !ready
	a.touch(namespace, pod)
}

// SetAway says whether the account is away, as if its network were cut.
func (a *Account) SetAway(away bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.away = away
	a.notify()
}

// touch gives the workload of the pod a new version and the status that follows from its pods.
func (a *Account) touch(namespace, pod string) {
	for _, p := range a.pods(namespace) {
		if p.Name != pod {
			continue
		}
		kind, name, _ := strings.Cut(p.Owner, "/")
		ref := sluice.Ref{APIVersion: "apps/v1", Kind: kind, Namespace: namespace, Name: name}
		o := a.numbered(a.objects[ref].Clone())
		a.objects[ref] = o
		if kind == "Deployment" {
			a.roll(ref)
		}
		a.objects[ref] = a.settle(o)
	}
	a.notify()
}

// fall restarts the pods of the workload once, after a while, if its image says so.
func (a *Account) fall(ref sluice.Ref, o sluice.Object) {
	if !strings.Contains(images(o), "falls") {
		return
	}
	time.AfterFunc(a.slow, func() {
		a.mu.Lock()
		pods := a.podsOf(ref)
		a.mu.Unlock()
		for _, p := range pods {
			a.Restart(p.Namespace, p.Name)
		}
	})
}

// lived adds to the pod what happened to it.
func (a *Account) lived(p sluice.Pod) sluice.Pod {
	key := p.Namespace + "/" + p.Name
	if a.unready[key] && p.Ready {
		p.Ready, p.Reason = false, "its readiness probe fails"
	}
	if p.Restarts = a.restarts[key]; p.Restarts > 0 {
		p.LastEnd = lastEnd
	}
	if _, known := a.created[key]; !known {
		a.created[key] = time.Now()
	}
	p.Created = a.created[key]
	return p
}

// unreadyPods counts the pods whose readiness probe was told to fail.
func (a *Account) unreadyPods(o sluice.Object) int {
	n := 0
	for _, p := range a.podsAs(o.Ref(), o) {
		if a.unready[p.Namespace+"/"+p.Name] {
			n++
		}
	}
	return n
}
