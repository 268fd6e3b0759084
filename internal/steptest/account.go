package steptest

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluice-cd/sluice"
)

// SlowStart is how long the pods of an image with "slow" in its name take to get ready.
const SlowStart = 10 * time.Second

// An Account is a cluster in memory. Workloads are ready as soon as they are applied, unless an image in them
// contains "broken", or "slow", which takes [SlowStart]; a Job whose image contains "fails" fails. It carries out writes whatever becomes of their
// context, so that a step which does not look at it is found.
type Account struct {
	mu      sync.Mutex
	objects map[sluice.Ref]sluice.Object
	applied map[sluice.Ref]sluice.Object // what was applied last, for the removal of fields
	weights map[string]int
	evicted []string
	careful bool // Shift looks whether pods are ready
	byPods  bool // only the numbers of pods divide what lies between 0 and 100
	addr    map[string]string
	changed chan struct{}
	version int64
	left    int // writes until the account is gone; -1 for ever
	gone    bool
	watch   func() // called after each write, with the account locked for others
}

// NewAccount returns an account that holds the objects.
func NewAccount(objects ...sluice.Object) *Account {
	a := &Account{
		objects: map[sluice.Ref]sluice.Object{}, applied: map[sluice.Ref]sluice.Object{},
		weights: map[string]int{}, addr: map[string]string{}, changed: make(chan struct{}), left: -1,
	}
	for _, o := range objects {
		if _, _, err := a.Apply(context.Background(), o, false); err != nil {
			panic(err)
		}
	}
	return a
}

// Abilities returns what the account can do. It has no volumes.
func (a *Account) Abilities() sluice.Account {
	return sluice.Account{ClusterReader: a, ClusterWriter: a, Host: a, Network: a, Shifter: a}
}

// Crash lets n more writes happen; with the last of them the account is gone, until restart is called, which
// reports whether it came so far.
func (a *Account) Crash(n int) (restart func() bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.left = n
	return func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		gone := a.gone
		a.left, a.gone = -1, false
		return gone
	}
}

// AfterWrite sets a function that is called after each write. It may ask the account.
func (a *Account) AfterWrite(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.watch = f
}

// DivideByPods makes the account one that has no weights: the numbers of pods divide the traffic.
func (a *Account) DivideByPods() { a.byPods = true }

// RefuseUnready has Shift send traffic to no side without a ready pod.
func (a *Account) RefuseUnready() { a.careful = true }

// Evicted returns the pods that were evicted, in that order.
func (a *Account) Evicted() []string { return a.evicted }

// SetAddress lets the port of a Service answer at address.
func (a *Account) SetAddress(namespace, service string, port int, address string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.addr[fmt.Sprintf("%s/%s:%d", namespace, service, port)] = address
}

// Weight returns what share of the Service's traffic goes to canaries.
func (a *Account) Weight(namespace, service string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.weights[namespace+"/"+service]
}

// Snapshot is everything that was asked of the account: objects without their status, and weights above 0.
func (a *Account) Snapshot() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var lines []string
	for ref, o := range a.objects {
		raw, err := json.MarshalIndent(intent(o), "", " ")
		if err != nil {
			panic(err)
		}
		lines = append(lines, ref.String()+" "+string(raw))
	}
	for service, weight := range a.weights {
		if weight > 0 {
			lines = append(lines, fmt.Sprintf("weight of %s: %d", service, weight))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func intent(o sluice.Object) sluice.Object {
	o = o.Clone()
	delete(o, "status")
	for _, field := range []string{"resourceVersion", "generation", "uid"} {
		delete(o["metadata"].(map[string]any), field)
	}
	return o
}

var errGone = sluice.Errorf(sluice.Unavailable, "the account is away")

// Get implements sluice.Cluster.
func (a *Account) Get(_ context.Context, ref sluice.Ref) (sluice.Object, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.gone {
		return nil, errGone
	}
	o, ok := a.objects[ref]
	if !ok {
		return nil, sluice.Errorf(sluice.NotFound, "there is no %s in %s", ref, ref.Namespace)
	}
	return o.Clone(), nil
}

// Apply implements sluice.Cluster.
func (a *Account) Apply(_ context.Context, o sluice.Object, dryRun bool) (sluice.Object, sluice.Outcome, error) {
	a.mu.Lock()
	if a.gone {
		a.mu.Unlock()
		return nil, "", errGone
	}
	o, ref := normal(o), o.Ref()
	now, exists := a.objects[ref]
	next, outcome := o.Clone(), sluice.Created
	if exists {
		merged := merge(prune(intent(now), a.applied[ref], o), o)
		next, outcome = sluice.Object(merged.(map[string]any)).Clone(), sluice.Configured
		if reflect.DeepEqual(normal(next), normal(intent(now))) {
			next, outcome = now.Clone(), sluice.Unchanged
		}
		if outcome == sluice.Configured && ref.Kind == "Job" {
			a.mu.Unlock()
			return nil, "", sluice.Errorf(sluice.Invalid, "the pods of %s cannot be changed", ref)
		}
	}
	if dryRun {
		a.mu.Unlock()
		return next, outcome, nil
	}
	if outcome != sluice.Unchanged {
		next.Set(int64(now.Number(0, "metadata", "generation")+1), "metadata", "generation")
		if status := now.Field("status"); status != nil {
			next["status"] = status
		}
		a.store(ref, next)
	}
	a.applied[ref] = o
	return next.Clone(), outcome, a.wrote()
}

// store keeps the object with the status that it has now or, if its pods start slowly, will have. Until then the
// pods of before, if there are any, run on.
func (a *Account) store(ref sluice.Ref, o sluice.Object) {
	if !strings.Contains(images(o), "slow") {
		a.objects[ref] = settle(o)
		return
	}
	a.objects[ref] = o
	generation := o.Number(0, "metadata", "generation")
	time.AfterFunc(SlowStart, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		now, ok := a.objects[ref]
		if !ok || now.Number(0, "metadata", "generation") != generation {
			return
		}
		a.objects[ref] = settle(now.Clone())
		close(a.changed)
		a.changed = make(chan struct{})
	})
}

// wrote unlocks the account after a write.
func (a *Account) wrote() error {
	a.version++
	close(a.changed)
	a.changed = make(chan struct{})
	if a.left > 0 {
		a.left--
		a.gone = a.left == 0
	}
	gone, watch := a.gone, a.watch
	a.mu.Unlock()
	if watch != nil {
		watch()
	}
	if gone {
		return errGone
	}
	return nil
}

// Edit changes an object as another person would.
func (a *Account) Edit(ref sluice.Ref, change func(sluice.Object)) {
	a.mu.Lock()
	o := a.objects[ref].Clone()
	change(o)
	a.objects[ref] = settle(o)
	_ = a.wrote()
}

// Amend changes an object and leaves its status as the change has it, as its controller would.
func (a *Account) Amend(ref sluice.Ref, change func(sluice.Object)) {
	a.mu.Lock()
	o := a.objects[ref].Clone()
	change(o)
	a.objects[ref] = o
	_ = a.wrote()
}

// Delete implements sluice.Cluster.
func (a *Account) Delete(_ context.Context, ref sluice.Ref) error {
	a.mu.Lock()
	if a.gone {
		a.mu.Unlock()
		return errGone
	}
	delete(a.objects, ref)
	delete(a.applied, ref)
	return a.wrote()
}

// Restore implements sluice.Cluster.
func (a *Account) Restore(ctx context.Context, was sluice.Object, dryRun bool) (sluice.Object, sluice.Outcome, error) {
	was = was.Clone()
	delete(was, "status")
	return a.Apply(ctx, intent(was), dryRun)
}

// List implements sluice.Cluster.
func (a *Account) List(_ context.Context, apiVersion, kind, namespace string) ([]sluice.Object, error) {
	all, _, err := a.since(map[sluice.Ref]sluice.Object{}, apiVersion, kind, namespace)
	slices.SortFunc(all, func(a, b sluice.Object) int { return strings.Compare(a.Ref().Name, b.Ref().Name) })
	return all, err
}

// Scale implements sluice.Cluster.
func (a *Account) Scale(_ context.Context, ref sluice.Ref, replicas int) error {
	a.mu.Lock()
	if a.gone {
		a.mu.Unlock()
		return errGone
	}
	o, ok := a.objects[ref]
	if !ok {
		a.mu.Unlock()
		return sluice.Errorf(sluice.NotFound, "there is no %s in %s", ref, ref.Namespace)
	}
	o = o.Clone()
	o.Set(int64(replicas), "spec", "replicas")
	a.store(ref, o)
	return a.wrote()
}

// Watch implements sluice.Cluster.
func (a *Account) Watch(ctx context.Context, apiVersion, kind, namespace string) iter.Seq2[sluice.Object, error] {
	return func(yield func(sluice.Object, error) bool) {
		seen := map[sluice.Ref]sluice.Object{}
		for ctx.Err() == nil {
			fresh, changed, err := a.since(seen, apiVersion, kind, namespace)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, o := range fresh {
				if !yield(o, nil) {
					return
				}
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}
}

// Follow implements sluice.Cluster.
func (a *Account) Follow(ctx context.Context, ref sluice.Ref) iter.Seq2[sluice.Object, error] {
	return func(yield func(sluice.Object, error) bool) {
		for o, err := range a.Watch(ctx, ref.APIVersion, ref.Kind, ref.Namespace) {
			if (err != nil || o.Text("metadata", "name") == ref.Name) && !yield(o, err) {
				return
			}
		}
	}
}

func (a *Account) since(seen map[sluice.Ref]sluice.Object, apiVersion, kind, namespace string) ([]sluice.Object, chan struct{}, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.gone {
		return nil, nil, errGone
	}
	var fresh []sluice.Object
	for ref, o := range a.objects {
		if ref.APIVersion == apiVersion && ref.Kind == kind && ref.Namespace == namespace && !reflect.DeepEqual(seen[ref], o) {
			seen[ref] = o
			fresh = append(fresh, o.Clone())
		}
	}
	for ref := range maps.Clone(seen) {
		if _, ok := a.objects[ref]; !ok {
			o := seen[ref].Clone()
			o.Set("2026-01-01T00:00:00Z", "metadata", "deletionTimestamp")
			fresh = append(fresh, o)
			delete(seen, ref)
		}
	}
	return fresh, a.changed, nil
}

// Pods implements sluice.Host.
func (a *Account) Pods(_ context.Context, namespace string) ([]sluice.Pod, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.gone {
		return nil, errGone
	}
	var pods []sluice.Pod
	for ref, o := range a.objects {
		if !slices.Contains([]string{"Deployment", "StatefulSet", "Job"}, ref.Kind) || namespace != "" && ref.Namespace != namespace {
			continue
		}
		pods = append(pods, podsOf(ref, o)...)
	}
	slices.SortFunc(pods, func(a, b sluice.Pod) int { return strings.Compare(a.Name, b.Name) })
	return pods, nil
}

// Logs implements sluice.Host.
func (a *Account) Logs(_ context.Context, _, pod string, _ int) ([]string, error) {
	return []string{"last words of " + pod}, nil
}

// Tail implements sluice.Host.
func (a *Account) Tail(_ context.Context, _, pod string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) { yield("a line of "+pod, nil) }
}

// Exec implements sluice.Host.
func (a *Account) Exec(context.Context, string, string, []string) (string, error) {
	return "", sluice.Errorf(sluice.Unsupported, "nothing runs here")
}

// Address implements sluice.Host.
func (a *Account) Address(_ context.Context, namespace, service string, port int) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if address, ok := a.addr[fmt.Sprintf("%s/%s:%d", namespace, service, port)]; ok {
		return address, nil
	}
	return "", sluice.Errorf(sluice.NotFound, "no Service %s:%d in %s", service, port, namespace)
}

// Transport implements sluice.Host.
func (a *Account) Transport(ctx context.Context, namespace, service string, port int) (http.RoundTripper, error) {
	address, err := a.Address(ctx, namespace, service, port)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	return &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return d.DialContext(ctx, network, address)
	}}, nil
}

// Evict implements sluice.Host: the pod comes back at once as its workload's template has it.
func (a *Account) Evict(_ context.Context, namespace, pod string) error {
	a.mu.Lock()
	if a.gone {
		a.mu.Unlock()
		return errGone
	}
	for ref, o := range a.objects {
		if ref.Namespace != namespace || ref.Kind != "StatefulSet" && ref.Kind != "DaemonSet" {
			continue
		}
		for _, p := range podsOf(ref, o) {
			if p.Name != pod {
				continue
			}
			o = o.Clone()
			o.Set(o.Text("status", "updateRevision"), "status", "pods", pod)
			a.objects[ref] = settle(o)
			a.evicted = append(a.evicted, pod)
		}
	}
	return a.wrote()
}

// Weighs implements sluice.Shifter.
func (a *Account) Weighs([]sluice.Traffic) bool { return !a.byPods }

// Shift implements sluice.Shifter.
func (a *Account) Shift(_ context.Context, d sluice.Division) error {
	a.mu.Lock()
	if a.gone {
		a.mu.Unlock()
		return errGone
	}
	if _, ok := a.objects[sluice.Ref{APIVersion: "v1", Kind: "Service", Namespace: d.Namespace, Name: d.Service}]; !ok {
		a.mu.Unlock()
		return sluice.Errorf(sluice.NotFound, "there is no Service/%s", d.Service)
	}
	if side := receiver(d); a.careful && d.Percent%100 == 0 && a.objects[side] != nil && a.objects[side].Number(0, "status", "readyReplicas") == 0 {
		a.mu.Unlock()
		return sluice.Errorf(sluice.Failed, "no pod of %s is ready", side)
	}
	a.weights[d.Namespace+"/"+d.Service] = d.Percent
	return a.wrote()
}

// receiver is the Deployment that gets all of the traffic.
func receiver(d sluice.Division) sluice.Ref {
	name := d.Canary
	if d.Percent == 0 {
		name = d.Stable
	}
	return sluice.Ref{APIVersion: "apps/v1", Kind: "Deployment", Namespace: d.Namespace, Name: name}
}

// Release implements sluice.Shifter.
func (a *Account) Release(_ context.Context, d sluice.Division) error {
	a.mu.Lock()
	if a.gone {
		a.mu.Unlock()
		return errGone
	}
	delete(a.weights, d.Namespace+"/"+d.Service)
	return a.wrote()
}
