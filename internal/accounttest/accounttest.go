// Package accounttest tests that an account keeps the contracts in sluice.Account. Only tests import it. Start reading
// at [Run].
package accounttest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/sluice-cd/sluice"
)

// A World is an account with everything else that the suite needs.
type World struct {
	Account   sluice.Account
	Namespace string // exists, and has no objects of the test yet
	Class     string // of its claims; "": the default StorageClass
	// Container returns the container of a pod that runs the program. Another version is another template.
	Container func(p Program, version int) map[string]any
	// Exec returns a command that prints the text and ends with the status.
	Exec func(text string, status int) []string
	// Edit changes an object as somebody else does, and says under which name. With FieldOwners.
	Edit func(ref sluice.Ref, change func(sluice.Object)) (owner string, err error)
	// ScaleByHand sets the count through the scale subresource, as kubectl scale does. With FieldOwners.
	ScaleByHand func(ref sluice.Ref, replicas int) error
	// Following bounds how long traffic takes to follow after Shift and Release have returned. 0 means at once.
	Following time.Duration
	// Write and Read reach the text in a volume that has no directory of this machine. With Volumes.
	Write func(v sluice.Volume, text string) error
	Read  func(v sluice.Volume) (string, error)
	// Lacks says why the account does not have an ability. Scenarios that need it are skipped.
	Lacks map[Ability]string
}

// A Program is what a pod of the suite does.
type Program string

// The programs. A pod that runs one of the first three is ready within seconds.
const (
	Serves Program = "serves" // answers HTTP on port 8080; the name of the pod is a word of the answer
	Starts Program = "starts" // as Serves, and takes some seconds until it is ready
	Speaks Program = "speaks" // prints the lines one, two and three, and waits
	Breaks Program = "breaks" // never becomes ready, and cannot heal
	Falls  Program = "falls"  // as Serves, until some seconds later it prints the line falling and ends with status 3
	Ends   Program = "ends"   // ends at once with status 0
	Fails  Program = "fails"  // prints the line "no such table" and ends with status 3
)

// An Ability is something that only some accounts have.
type Ability string

// The abilities.
const (
	FieldOwners Ability = "field owners"       // it records who set which field, and others than Sluice write to it
	Schemas     Ability = "schemas"            // it knows which fields a kind has
	Budgets     Ability = "disruption budgets" // evictions are limited by PodDisruptionBudgets
	Processes   Ability = "processes"          // pods run programs
	DaemonSets  Ability = "DaemonSets"         // it runs a pod of each on every node
	ReplicaSets Ability = "ReplicaSets"        // the pods of a Deployment belong to objects of this kind
	Addresses   Ability = "addresses"          // Services answer at a host and port of this machine
)

// A scenario tests one promise of the contracts.
type scenario struct {
	name  string
	needs []Ability
	check func(r *run)
}

// Run tests the account against its contracts. fresh makes a new world; it may call t.Parallel.
func Run(t *testing.T, fresh func(t *testing.T) World) {
	for _, group := range []struct {
		name string
		list []scenario
	}{
		{"Read", reading}, {"Job", running}, {"Apply", applying}, {"Restore", restoring}, {"Scale", scaling},
		{"Delete", deleting}, {"Host", hosting}, {"Network", reaching}, {"Shift", shifting}, {"Adopt", adopting},
		{"Serve", serving}, {"Cancel", cancelling}, {"Volumes", keeping},
		{"Owners", owning},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, s := range group.list {
				t.Run(s.name, func(t *testing.T) { s.run(t, fresh(t)) })
			}
		})
	}
}

// RunVolumes tests only the volumes of the account, for instance with claims of another class.
func RunVolumes(t *testing.T, fresh func(t *testing.T) World) {
	for _, s := range keeping {
		t.Run(s.name, func(t *testing.T) { s.run(t, fresh(t)) })
	}
}

// patience bounds a scenario: a real cluster takes its time.
const patience = 2 * time.Minute

func (s scenario) run(t *testing.T, w World) {
	for _, a := range s.needs {
		if why := w.Lacks[a]; why != "" {
			t.Skipf("the account has no %s: %s", a, why)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s.check(&run{T: t, World: w, Account: w.Account, ctx: ctx})
}

// A run is one scenario in a world.
type run struct {
	*testing.T
	World
	sluice.Account
	ctx context.Context
}

func (r *run) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatalf("%v (%s)", err, sluice.ErrorHint(err))
	}
}

// wants fails unless the error has the code and it or its hint holds the words.
func (r *run) wants(err error, code sluice.Code, words ...string) {
	r.Helper()
	if sluice.ErrorCode(err) != code {
		r.Fatalf("got %v (%s), want %s", err, sluice.ErrorCode(err), code)
	}
	for _, word := range words {
		if !strings.Contains(err.Error()+" "+sluice.ErrorHint(err), word) {
			r.Errorf("%q and its hint %q do not name %q", err, sluice.ErrorHint(err), word)
		}
	}
}

// read makes an object of the namespace from YAML.
func (r *run) read(format string, args ...any) sluice.Object {
	r.Helper()
	var o sluice.Object
	r.must(yaml.Unmarshal(fmt.Appendf(nil, format, args...), &o))
	o.Set(r.Namespace, "metadata", "namespace")
	return o
}

// config is a ConfigMap with the data, given as a YAML map.
func (r *run) config(name, data string) sluice.Object {
	r.Helper()
	return r.read("{apiVersion: v1, kind: ConfigMap, metadata: {name: %s}, data: %s}", name, data)
}

// workload is a Deployment or StatefulSet. Service/web selects its pods; those of one whose name ends with -canary are
// on the canary track.
func (r *run) workload(kind, name string, replicas int, p Program, version int) sluice.Object {
	r.Helper()
	o := r.read(`
apiVersion: apps/v1
kind: %s
metadata: {name: %s}
spec:
  replicas: %d
  selector: {matchLabels: {app: web, of: %[2]s}}
  template:
    metadata: {labels: {app: web, of: %[2]s}}
    spec: {terminationGracePeriodSeconds: 1}`, kind, name, replicas)
	o.Set([]any{r.Container(p, version)}, "spec", "template", "spec", "containers")
	if strings.HasSuffix(name, "-canary") {
		o.Set(sluice.TrackCanary, "spec", "template", "metadata", "labels", sluice.TrackLabel)
	}
	if kind == "StatefulSet" {
		o.Set(name, "spec", "serviceName")
	}
	return o
}

// service is Service/web, which selects the pods of every workload.
func (r *run) service() sluice.Object {
	r.Helper()
	return r.read(`
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 8080, targetPort: 8080}]}`)
}

// apply applies the object and returns it as it is now.
func (r *run) apply(o sluice.Object) sluice.Object {
	r.Helper()
	now, _, err := r.Apply(r.ctx, o, false)
	r.must(err)
	return now
}

// expect applies the object and fails unless the outcome is as wanted.
func (r *run) expect(o sluice.Object, dryRun bool, want sluice.Outcome) sluice.Object {
	r.Helper()
	now, outcome, err := r.Apply(r.ctx, o, dryRun)
	r.must(err)
	if outcome != want {
		r.Fatalf("%s with dryRun %t is %s, want %s", o.Ref(), dryRun, outcome, want)
	}
	return now
}

func (r *run) get(ref sluice.Ref) sluice.Object {
	r.Helper()
	o, err := r.Get(r.ctx, ref)
	r.must(err)
	return o
}

func (r *run) ref(kind, name string) sluice.Ref {
	r.Helper()
	ref, err := sluice.ParseRef(kind+"/"+name, r.Namespace)
	r.must(err)
	return ref
}

// edit changes the object as somebody else and returns that name.
func (r *run) edit(ref sluice.Ref, change func(sluice.Object)) string {
	r.Helper()
	owner, err := r.Edit(ref, change)
	r.must(err)
	return owner
}

// await follows the object until it is as wanted.
func (r *run) await(ref sluice.Ref, what string, wanted func(sluice.Object) bool) sluice.Object {
	r.Helper()
	var last sluice.Object
	for o, err := range r.Follow(r.ctx, ref) {
		if err != nil {
			r.Fatalf("%s never is %s: %v; it is %v", ref, what, err, last)
		}
		if last = o; wanted(o) {
			return o
		}
	}
	r.Fatalf("%s never is %s; it is %v", ref, what, last)
	return nil
}

// settle waits until all pods of the workload are of its last version and ready.
func (r *run) settle(ref sluice.Ref) sluice.Object {
	r.Helper()
	return r.await(ref, "settled", func(o sluice.Object) bool {
		want := o.Number(1, "spec", "replicas")
		for _, count := range []string{"replicas", "updatedReplicas", "readyReplicas"} {
			if o.Number(0, "status", count) != want {
				return false
			}
		}
		return o.Number(0, "status", "observedGeneration") == o.Number(0, "metadata", "generation")
	})
}

// start applies the workload and waits until it has settled.
func (r *run) start(o sluice.Object) sluice.Object {
	r.Helper()
	r.apply(o)
	return r.settle(o.Ref())
}

// pods returns those of the workload that is named Kind/name.
func (r *run) pods(owner string) []sluice.Pod {
	r.Helper()
	all, err := r.Pods(r.ctx, r.Namespace)
	r.must(err)
	return slices.DeleteFunc(all, func(p sluice.Pod) bool { return p.Owner != owner })
}

// awaitPods returns the pods of the workload once they are as wanted. It looks whenever the workload changes, and every
// now and then, because there is no watch for pods.
func (r *run) awaitPods(owner, what string, wanted func([]sluice.Pod) bool) []sluice.Pod {
	r.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		pods := r.pods(owner)
		if wanted(pods) {
			return pods
		}
		select {
		case <-tick.C:
		case <-r.ctx.Done():
			r.Fatalf("the pods of %s never are %s: %+v", owner, what, pods)
		}
	}
}

// same fails unless the object's intent is as before; the status may differ.
func (r *run) same(before sluice.Object, when string) {
	r.Helper()
	now := r.get(before.Ref())
	for _, field := range []string{"resourceVersion", "generation"} {
		if now.Field("spec") == nil && now.Text("metadata", field) != before.Text("metadata", field) {
			r.Errorf("%s, metadata.%s of %s is %v, want %v", when, field, before.Ref(), now.Field("metadata", field),
				before.Field("metadata", field))
		}
	}
	if now.Number(0, "metadata", "generation") != before.Number(0, "metadata", "generation") {
		r.Errorf("%s, %s has another generation: %v", when, before.Ref(), now)
	}
	for _, field := range []string{"spec", "data"} {
		if got, want := fmt.Sprint(now.Field(field)), fmt.Sprint(before.Field(field)); got != want {
			r.Errorf("%s, %s of %s is %s, want %s", when, field, before.Ref(), got, want)
		}
	}
	if got, want := fmt.Sprint(now.Field("metadata", "labels")), fmt.Sprint(before.Field("metadata",
		"labels")); got != want {
		r.Errorf("%s, the labels of %s are %s, want %s", when, before.Ref(), got, want)
	}
}
