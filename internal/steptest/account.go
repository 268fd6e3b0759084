package steptest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluice-cd/sluice"
)

// SlowStart is how long the pods of an image with "slow" in its name need to become ready.
const SlowStart = 10 * time.Second

// An Account is a cluster in memory. It refuses what a cluster refuses: accounttest holds both to the same contract.
// Workloads are ready as soon as they are applied, with these exceptions, by the name of an image: pods of "broken"
// crash, pods of "unready" never become ready for no known reason, pods of "slow" need [SlowStart], and pods of
// "falls" are restarted once after that time. A Job whose image contains "fails" fails, one of "unready" never ends,
// and one with ttlSecondsAfterFinished 0 is gone at once. The account has every namespace.
type Account struct {
	mu       sync.Mutex
	objects  map[sluice.Ref]sluice.Object
	owners   map[sluice.Ref]owners
	sets     map[sluice.Ref][]replicaSet // of the Deployments
	orphans  []replicaSet                // whose Deployments were orphaned
	setNames map[sluice.Ref]string       // of the canaries' replica sets
	starting map[string]bool             // pods of StatefulSets that start slowly, as namespace/name
	restarts map[string]int              // of pods, as namespace/name
	unready  map[string]bool             // pods whose readiness probe fails, as namespace/name
	created  map[string]time.Time        // when a pod was first seen, as namespace/name
	reborn   map[string]int              // how often the pod in that place of a Deployment was evicted
	broken   []string                    // images whose pods broke
	served   map[string]bool             // kinds besides those of every cluster
	divided  map[string]sluice.Division
	requests int
	evicted  []string
	byPods   bool // between 0 and 100, only the numbers of pods divide the traffic
	addr     map[string]string
	changed  chan struct{}
	version  int64
	left     int // writes until the account is away; -1 for ever
	away     bool
	gone     []sluice.Object // in their last states
	watch    func()          // called after each write, with the account locked for others
	slow     time.Duration   // SlowStart
}

// NewAccount returns an account that holds the objects. Sluice has applied them, unless their metadata.managedFields
// name others.
func NewAccount(objects ...sluice.Object) *Account {
	a := &Account{
		objects: map[sluice.Ref]sluice.Object{}, owners: map[sluice.Ref]owners{}, sets: map[sluice.Ref][]replicaSet{},
		setNames: map[sluice.Ref]string{},
		starting: map[string]bool{}, reborn: map[string]int{}, served: map[string]bool{},
		divided:  map[string]sluice.Division{},
		restarts: map[string]int{}, unready: map[string]bool{}, created: map[string]time.Time{},
		addr: map[string]string{}, changed: make(chan struct{}), left: -1, slow: SlowStart,
	}
	for _, o := range objects {
		a.Serve(o.Ref().APIVersion, o.Ref().Kind)
		if _, _, err := a.Apply(context.Background(), o, false); err != nil {
			panic(err)
		}
		if status := o.Field("status"); status != nil {
			a.objects[o.Ref()]["status"] = normal(o)["status"]
		}
		if managers := managersOf(o); len(managers) > 0 {
			a.owners[o.Ref()] = owned(o, managers...)
		}
	}
	return a
}

// Abilities returns what the account can do. It has no volumes.
func (a *Account) Abilities() sluice.Account {
	return sluice.Account{ClusterReader: a, ClusterWriter: a, Host: a, Network: a, Adopter: a, Shifter: a, Writers: a}
}

// Serve makes the kind known, as a CustomResourceDefinition does.
func (a *Account) Serve(apiVersion, kind string) { a.served[apiVersion+" "+kind] = true }

// Crash lets n more writes happen. After the last of them the account is away until restart is called, which reports
// whether there were so many writes.
func (a *Account) Crash(n int) (restart func() bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.left = n
	return func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		away := a.away
		a.left, a.away = -1, false
		return away
	}
}

// AfterWrite sets a function that is called after each write. It may read the account.
func (a *Account) AfterWrite(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.watch = f
}

// DivideByPods takes the weights away from the account: the numbers of pods divide the traffic.
func (a *Account) DivideByPods() { a.byPods = true }

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
	return a.divided[namespace+"/"+service].Percent
}

// Snapshot returns everything that was requested: objects without their status, and weights above 0.
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
	for service, d := range a.divided {
		if d.Percent > 0 {
			lines = append(lines, fmt.Sprintf("weight of %s: %d", service, d.Percent))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// Edit changes an object as another person, who then owns the fields that the change set. A changed count of pods
// counts as set through the scale subresource.
func (a *Account) Edit(ref sluice.Ref, change func(sluice.Object)) { a.EditAs(Somebody, ref, change) }

// EditAs is Edit under the name of the manager.
func (a *Account) EditAs(manager string, ref sluice.Ref, change func(sluice.Object)) {
	a.mu.Lock()
	before := a.objects[ref]
	now := before.Clone()
	change(now)
	a.owners[ref].edited(before, now, manager)
	a.store(ref, now)
	_ = a.wrote()
}

// Somebody is the name under which Edit writes.
const Somebody = "somebody"

// Amend changes an object and its status, as its controller would.
func (a *Account) Amend(ref sluice.Ref, change func(sluice.Object)) {
	a.mu.Lock()
	o := a.objects[ref].Clone()
	change(o)
	a.objects[ref] = o
	_ = a.wrote()
}

// Break breaks the pods of the image, as if something that they need had disappeared.
func (a *Account) Break(image string) {
	a.mu.Lock()
	a.broken = append(a.broken, image)
	for ref, o := range a.objects {
		if strings.Contains(images(o), image) {
			a.objects[ref] = a.settle(o.Clone())
		}
	}
	_ = a.wrote()
}

var errAway = sluice.Errorf(sluice.Unavailable, "the account is away")

// enter locks the account, unless the call is cancelled or the account is away.
func (a *Account) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	a.mu.Lock()
	if a.away {
		a.mu.Unlock()
		return errAway
	}
	return nil
}

// refuse unlocks the account without a write.
func (a *Account) refuse(code sluice.Code, format string, args ...any) error {
	a.mu.Unlock()
	return sluice.Errorf(code, format, args...)
}

// wrote unlocks the account after a write.
func (a *Account) wrote() error {
	a.notify()
	if a.left > 0 {
		a.left--
		a.away = a.left == 0
	}
	away, watch := a.away, a.watch
	a.mu.Unlock()
	if watch != nil {
		watch()
	}
	if away {
		return errAway
	}
	return nil
}

// notify wakes those who watch.
func (a *Account) notify() {
	close(a.changed)
	a.changed = make(chan struct{})
}

// numbered returns the object with the next version.
func (a *Account) numbered(o sluice.Object) sluice.Object {
	a.version++
	o.Set(fmt.Sprint(a.version), "metadata", "resourceVersion")
	return o
}

// store keeps the object with its next version and its status, now or, if its pods start slowly, later. Until then the
// pods of the previous Deployment keep running.
func (a *Account) store(ref sluice.Ref, o sluice.Object) {
	before := a.objects[ref]
	o = a.numbered(o)
	generation := before.Number(0, "metadata", "generation")
	if before == nil {
		o.Set(fmt.Sprintf("uid-%d", a.version), "metadata", "uid")
	}
	if before == nil || !same(before["spec"], o["spec"]) {
		generation++
	}
	o.Set(int64(generation), "metadata", "generation")
	a.fall(ref, o)
	a.objects[ref] = o
	if ref.Kind == "Deployment" {
		a.roll(ref)
	}
	a.objects[ref] = a.settle(o)
}
