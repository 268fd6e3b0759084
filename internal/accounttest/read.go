package accounttest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-cd/sluice"
)

// deletionTimestamp is the field of metadata by which a watch reports a deletion.
const deletionTimestamp = "deletionTimestamp"

var reading = []scenario{
	{"an object that does not exist is NotFound and named", nil, (*run).absent},
	{"a kind that the account does not know", nil, (*run).unknownKind},
	{"Get returns a workload with its status", nil, (*run).status},
	{"List returns the objects of one kind and namespace by name", nil, (*run).list},
	{"Watch yields what is there, then every change, and a deletion once", nil, (*run).watch},
	{"Watch yields no state from before a write", nil, (*run).watchAfterWrite},
	{"Follow yields one object alone", nil, (*run).follow},
	{"Follow says at once that the object does not exist", nil, (*run).followAbsent},
	{"Watch and Follow end with their context", nil, (*run).watchEnds},
	{"a workload whose pods cannot become ready is Stalled", nil, (*run).stalled},
}

func (r *run) absent() {
	_, err := r.Get(r.ctx, r.ref("ConfigMap", "missing"))
	r.wants(err, sluice.NotFound, "missing")
}

func (r *run) unknownKind() {
	unknown := r.read("{apiVersion: unknown.example.org/v1, kind: Nothing, metadata: {name: a}}")
	_, err := r.Get(r.ctx, unknown.Ref())
	r.wants(err, sluice.Unsupported, "Nothing")
	if list, err := r.List(r.ctx, "unknown.example.org/v1", "Nothing", r.Namespace); err != nil || len(list) > 0 {
		r.Errorf("List returns %v, %v", list, err)
	}
	for _, err := range r.Watch(r.ctx, "unknown.example.org/v1", "Nothing", r.Namespace) {
		r.wants(err, sluice.Unsupported, "Nothing")
		break
	}
	for _, err := range r.Follow(r.ctx, unknown.Ref()) {
		r.wants(err, sluice.Unsupported, "Nothing")
		break
	}
	for _, dryRun := range []bool{true, false} {
		_, _, err = r.Apply(r.ctx, unknown, dryRun)
		r.wants(err, sluice.Unsupported, "Nothing")
	}
	r.must(r.Delete(r.ctx, unknown.Ref()))
}

func (r *run) status() {
	web := r.workload("Deployment", "web", 1, Serves, 1)
	r.start(web)
	o := r.get(web.Ref())
	if o.Ref() != web.Ref() || o.Number(0, "status", "readyReplicas") != 1 {
		r.Errorf("got %v", o)
	}
}

func (r *run) list() {
	for _, name := range []string{"c", "a", "b", "d"} {
		r.apply(r.config(name, "{x: '1'}"))
	}
	r.must(r.Delete(r.ctx, r.ref("ConfigMap", "d")))
	all, err := r.List(r.ctx, "v1", "ConfigMap", r.Namespace)
	r.must(err)
	var names []string
	for _, o := range all {
		if o.Ref().Kind != "ConfigMap" || o.Ref().Namespace != r.Namespace {
			r.Errorf("listed %v", o.Ref())
		}
		if name := o.Ref().Name; len(name) == 1 { // a cluster has ConfigMaps of its own
			names = append(names, name)
		}
	}
	if !slices.Equal(names, []string{"a", "b", "c"}) {
		r.Errorf("listed %v", names)
	}
	everywhere, err := r.List(r.ctx, "v1", "ConfigMap", "")
	r.must(err)
	if len(everywhere) < 3 {
		r.Errorf("all namespaces together have %d", len(everywhere))
	}
	if none, err := r.List(r.ctx, "v1", "ConfigMap", r.Namespace+"-none"); err != nil || len(none) > 0 {
		r.Errorf("a namespace that does not exist has %v, %v", none, err)
	}
}

// told describes what a watch has yielded: name=x, with ! if it is deleted.
func told(o sluice.Object) string {
	word := o.Ref().Name + "=" + o.Text("data", "x")
	if o.Text("metadata", deletionTimestamp) != "" {
		word += "!"
	}
	return word
}

func (r *run) watch() {
	r.apply(r.config("a", "{x: '1'}"))
	script := []struct {
		told string
		then func()
	}{
		{"a=1", func() { r.apply(r.config("b", "{x: '1'}")) }},
		{"b=1", func() { r.apply(r.config("b", "{x: '2'}")) }},
		{"b=2", func() { r.must(r.Delete(r.ctx, r.ref("ConfigMap", "b"))) }},
		{"b=2!", func() { r.apply(r.config("b", "{x: '3'}")) }},
		{"b=3", func() { r.apply(r.config("a", "{x: '2'}")) }},
		{"a=2", nil},
	}
	next := 0
	for o, err := range r.Watch(r.ctx, "v1", "ConfigMap", r.Namespace) {
		r.must(err)
		if len(o.Ref().Name) > 1 {
			continue
		}
		if o.Ref().Kind != "ConfigMap" || told(o) != script[next].told {
			r.Fatalf("told of %s %s, want %s", o.Ref(), told(o), script[next].told)
		}
		if script[next].then == nil {
			return
		}
		script[next].then()
		next++
	}
	r.Fatal("the watch ended")
}

func (r *run) watchAfterWrite() {
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	go func() {
		for range r.Watch(ctx, "v1", "ConfigMap", r.Namespace) { //nolint:revive // it only keeps the watch up
		}
	}()
	for i := range 20 {
		r.apply(r.config("a", fmt.Sprintf("{x: '%d'}", i)))
		for o, err := range r.Follow(r.ctx, r.ref("ConfigMap", "a")) {
			r.must(err)
			if want := fmt.Sprintf("a=%d", i); told(o) != want {
				r.Fatalf("after the write %s the watch tells of %s", want, told(o))
			}
			break
		}
	}
}

func (r *run) follow() {
	r.apply(r.config("a", "{x: '1'}"))
	r.apply(r.config("b", "{x: '1'}"))
	want := []string{"a=1", "a=2", "a=2!"}
	for o, err := range r.Follow(r.ctx, r.ref("ConfigMap", "a")) {
		r.must(err)
		if told(o) != want[0] {
			r.Fatalf("told of %s, want %s", told(o), want[0])
		}
		if want = want[1:]; len(want) == 0 {
			return
		}
		r.apply(r.config("b", fmt.Sprintf("{x: '%d'}", 5+len(want))))
		if len(want) == 2 {
			r.apply(r.config("a", "{x: '2'}"))
			continue
		}
		r.must(r.Delete(r.ctx, o.Ref()))
	}
	r.Fatal("the watch ended")
}

func (r *run) followAbsent() {
	r.apply(r.config("b", "{x: '1'}"))
	want := []string{"a=!", "a=1"}
	for o, err := range r.Follow(r.ctx, r.ref("ConfigMap", "a")) {
		r.must(err)
		if told(o) != want[0] || o.Ref() != r.ref("ConfigMap", "a") {
			r.Fatalf("told of %s %s, want %s", o.Ref(), told(o), want[0])
		}
		if want = want[1:]; len(want) == 0 {
			return
		}
		r.apply(r.config("a", "{x: '1'}"))
	}
	r.Fatal("the watch ended")
}

func (r *run) watchEnds() {
	r.apply(r.config("a", "{x: '1'}"))
	for name, watch := range map[string]func(context.Context) error{
		"Watch": func(ctx context.Context) (last error) {
			for _, err := range r.Watch(ctx, "v1", "ConfigMap", r.Namespace) {
				last = err
			}
			return last
		},
		"Follow": func(ctx context.Context) (last error) {
			for _, err := range r.Follow(ctx, r.ref("ConfigMap", "a")) {
				last = err
			}
			return last
		},
	} {
		ctx, cancel := context.WithCancel(r.ctx)
		ended := make(chan error, 1)
		go func() { ended <- watch(ctx) }()
		cancel()
		select {
		case err := <-ended:
			if err != nil && !isCancelled(err) {
				r.Errorf("%s ends with %v", name, err)
			}
		case <-time.After(20 * time.Second):
			r.Fatalf("%s does not end with its context", name)
		}
	}
}

func isCancelled(err error) bool {
	return errors.Is(err, context.Canceled) || sluice.ErrorCode(err) == sluice.Cancelled
}

// isStalled returns what the condition says, "" if the workload does not have it.
func isStalled(o sluice.Object) string {
	for _, c := range o.List("status", "conditions") {
		if c.Text("type") == "Stalled" && c.Text("status") == "True" {
			return c.Text("message")
		}
	}
	return ""
}

func (r *run) stalled() {
	for _, kind := range []string{"Deployment", "StatefulSet"} {
		web := r.workload(kind, "web", 1, Breaks, 1)
		r.apply(web)
		o := r.await(web.Ref(), "Stalled", func(o sluice.Object) bool { return isStalled(o) != "" })
		r.Logf("%s: %s", kind, isStalled(o))
		if isStalled(r.get(web.Ref())) == "" {
			r.Errorf("Get does not say that %s is stalled", web.Ref())
		}
		r.apply(r.workload(kind, "web", 1, Serves, 1))
		r.repaired(web.Ref())
		r.must(r.Delete(r.ctx, web.Ref()))
	}
}

// repaired wants the workload to settle. A StatefulSet does not replace a broken pod.
func (r *run) repaired(ref sluice.Ref) {
	if ref.Kind == "StatefulSet" {
		r.await(ref, "seen", func(o sluice.Object) bool {
			return o.Number(0, "status", "observedGeneration") == o.Number(0, "metadata", "generation")
		})
		r.must(r.Evict(r.ctx, ref.Namespace, ref.Name+"-0"))
	}
	if o := r.settle(ref); isStalled(o) != "" {
		r.Errorf("repaired, %s is stalled: %s", ref, isStalled(o))
	}
}
