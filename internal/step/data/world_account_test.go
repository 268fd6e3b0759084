package data_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
)

func (w *world) abilities() sluice.Account {
	a := sluice.Account{ClusterReader: w, ClusterWriter: w, Host: w, Network: w, Shifter: w, Volumes: w}
	if w.cluster {
		a.Writers = writers{w}
	}
	if w.keeps {
		a.Snapshots = snapshots{w}
	}
	return a
}

// writers write for every application alike.
type writers struct{ *world }

func (w writers) For(sluice.Writing) (sluice.ClusterWriter, sluice.Adopter) { return w.world, nil }

// Get implements sluice.Cluster.
func (w *world) Get(ctx context.Context, ref sluice.Ref) (o sluice.Object, err error) {
	err = w.effect(ctx, func() error {
		if o = w.shown(ref); o == nil {
			return missing(ref)
		}
		return nil
	})
	return o, err
}

// shown returns the object with its status and what else its account adds. A StatefulSet does not count pods that are
// still ending.
func (w *world) shown(ref sluice.Ref) sluice.Object {
	if w.isStaging(ref) {
		return sluice.Object{"status": map[string]any{"phase": "Bound"}}
	}
	stored := w.objects[ref]
	if stored == nil {
		return nil
	}
	o := stored.Clone()
	switch ref.Kind {
	case "PersistentVolumeClaim":
		o.Set(w.volumes[ref.Namespace+"/"+ref.Name].current, "spec", "volumeName")
	case "StatefulSet":
		n := int64(o.Number(1, "spec", "replicas"))
		for _, of := range []string{"r", "readyR", "updatedR", "availableR", "currentR"} {
			o.Set(n, "status", of+"eplicas")
		}
		o.Set(int64(w.changes[ref]), "metadata", "generation")
		o.Set(int64(w.changes[ref]), "status", "observedGeneration")
	}
	return o
}

// isStaging reports whether it is the claim through which a generation is filled.
func (w *world) isStaging(ref sluice.Ref) bool {
	for name, c := range w.volumes {
		for generation := range c.generations {
			if name+"-"+generation == ref.Namespace+"/"+ref.Name {
				return true
			}
		}
	}
	return false
}

// Apply implements sluice.Cluster.
func (w *world) Apply(ctx context.Context, o sluice.Object, dryRun bool) (sluice.Object, sluice.Outcome, error) {
	ref := o.Ref()
	err := w.effect(ctx, func() error {
		if ref.Namespace != "" && w.objects[sluice.Ref{APIVersion: "v1", Kind: "Namespace", Name: ref.Namespace}] == nil {
			return missing("namespace " + ref.Namespace)
		}
		if dryRun {
			return nil
		}
		if ref.Kind == "PersistentVolumeClaim" {
			w.volume(ref.Namespace, ref.Name)
		}
		return w.store(o)
	})
	if ref.Kind == "Job" {
		o = o.Clone()
		o.Set("uid of "+ref.Name, "metadata", "uid")
	}
	return o, sluice.Configured, err
}

// store keeps the object as its account would. A workload that starts is seen by its users at once.
func (w *world) store(o sluice.Object) error {
	raw, err := json.Marshal(o)
	if err != nil {
		return err
	}
	var stored sluice.Object
	if err := json.Unmarshal(raw, &stored); err != nil {
		return err
	}
	delete(stored, "status")
	ref, before := o.Ref(), w.objects[o.Ref()]
	if before == nil {
		w.created[ref]++
		w.order = append(w.order, ref)
	}
	w.objects[ref] = stored
	if ref.Kind != "StatefulSet" {
		return nil
	}
	w.changes[ref]++
	stored.Set(fmt.Sprint("the ", w.created[ref], ". of its name"), "metadata", "uid")
	delete(stored["metadata"].(map[string]any), "generation")
	was, is := before != nil && before.Number(1, "spec", "replicas") > 0, stored.Number(1, "spec", "replicas") > 0
	if was && !is {
		w.ended(ref.Namespace, stored.Text("spec", "persistentVolumeClaimRetentionPolicy", "whenScaled"))
	}
	if is {
		delete(w.ending, ref.Namespace)
	}
	if is && !was && w.traffic != nil {
		w.traffic(ref.Namespace, "mongo-data")
	}
	return nil
}

// ended is called when a workload was stopped or deleted: its pod is still there for a while, and its claims may go.
func (w *world) ended(namespace, policy string) {
	if !w.cluster {
		return
	}
	w.ending[namespace] = true
	if policy != "Delete" {
		return
	}
	for ref := range w.objects {
		if ref.Kind == "PersistentVolumeClaim" && ref.Namespace == namespace {
			w.dropClaim(ref)
		}
	}
}

// dropClaim deletes a claim. On this machine all its generations go with it, in a cluster the current one unless it is
// protected.
func (w *world) dropClaim(ref sluice.Ref) {
	delete(w.objects, ref)
	key := ref.Namespace + "/" + ref.Name
	c := w.volumes[key]
	if c == nil {
		return
	}
	if !w.cluster {
		delete(w.volumes, key)
		return
	}
	if !c.kept {
		delete(c.generations, c.current)
	}
	c.current = ""
	if len(c.generations) == 0 {
		delete(w.volumes, key)
	}
}

func (w *world) volume(namespace, name string) *claim {
	c := w.volumes[namespace+"/"+name]
	if c == nil {
		c = &claim{current: "first", generations: map[string]documents{"first": {}}}
		w.volumes[namespace+"/"+name] = c
	}
	return c
}

// Delete implements sluice.Cluster.
func (w *world) Delete(ctx context.Context, ref sluice.Ref) error {
	return w.effect(ctx, func() error {
		o := w.objects[ref]
		delete(w.objects, ref)
		switch ref.Kind {
		case "StatefulSet":
			w.ended(ref.Namespace, o.Text("spec", "persistentVolumeClaimRetentionPolicy", "whenDeleted"))
			delete(w.ending, ref.Namespace) // Delete returns when everything that belongs to the workload is gone
		case "PersistentVolumeClaim":
			w.dropClaim(ref)
		case "Namespace":
			maps.DeleteFunc(w.objects, func(r sluice.Ref, _ sluice.Object) bool { return r.Namespace == ref.Name })
			maps.DeleteFunc(w.volumes, func(k string, _ *claim) bool { return strings.HasPrefix(k, ref.Name+"/") })
			delete(w.ending, ref.Name)
		}
		return nil
	})
}

// Watch implements sluice.Cluster. Everything is ready at once here.
func (w *world) Watch(ctx context.Context, apiVersion, kind, namespace string) iter.Seq2[sluice.Object, error] {
	return func(yield func(sluice.Object, error) bool) {
		var found []sluice.Object
		err := w.effect(ctx, func() error {
			for ref := range w.objects {
				if ref.APIVersion == apiVersion && ref.Kind == kind && ref.Namespace == namespace {
					found = append(found, w.shown(ref))
				}
			}
			return nil
		})
		if err != nil {
			yield(nil, err)
			return
		}
		for _, o := range found {
			if !yield(o, nil) {
				return
			}
		}
		<-ctx.Done()
	}
}

// List implements sluice.Cluster.
func (w *world) List(ctx context.Context, apiVersion, kind, namespace string) (list []sluice.Object, err error) {
	err = w.effect(ctx, func() error {
		for ref := range w.objects {
			if ref.APIVersion == apiVersion && ref.Kind == kind && (namespace == "" || ref.Namespace == namespace) {
				o := w.shown(ref)
				o.Set(ref.Name, "metadata", "name")
				list = append(list, o)
			}
		}
		return nil
	})
	return list, err
}

// Follow implements sluice.Cluster. A pod that is still ending is gone once somebody waits for it.
func (w *world) Follow(ctx context.Context, ref sluice.Ref) iter.Seq2[sluice.Object, error] {
	return func(yield func(sluice.Object, error) bool) {
		if ref.Kind == "Pod" {
			err := w.effect(ctx, func() error {
				delete(w.ending, ref.Namespace)
				return nil
			})
			yield(ref.Absent(), err)
			return
		}
		if ref == w.busy {
			o := ref.Absent()
			delete(o["metadata"].(map[string]any), "deletionTimestamp")
			o.Set([]any{map[string]any{"name": "run"}}, "status", "active")
			if !yield(o, nil) {
				return
			}
			w.busy = sluice.Ref{}
		}
		if _, err := w.Get(ctx, ref); sluice.ErrorCode(err) == sluice.NotFound && !yield(ref.Absent(), nil) {
			return
		}
		for o, err := range w.Watch(ctx, ref.APIVersion, ref.Kind, ref.Namespace) {
			if (err != nil || o.Text("metadata", "name") == ref.Name) && !yield(o, err) {
				return
			}
		}
	}
}

// Restore implements sluice.Cluster. Like a cluster it leaves the number of pods of somebody else as it is.
func (w *world) Restore(ctx context.Context, was sluice.Object, dryRun bool) (sluice.Object, sluice.Outcome, error) {
	was = was.Clone()
	delete(was, "status")
	return w.Apply(ctx, was, dryRun)
}

// Scale implements sluice.Cluster.
func (w *world) Scale(ctx context.Context, ref sluice.Ref, replicas int) error {
	return w.effect(ctx, func() error {
		o := w.objects[ref]
		if o == nil {
			return missing(ref)
		}
		w.scaled = append(w.scaled, fmt.Sprintf("%s of %s to %d", ref, ref.Namespace, replicas))
		o = o.Clone()
		o.Set(int64(replicas), "spec", "replicas")
		if err := w.store(o); err != nil || replicas > 0 || w.operator == "" {
			return err
		}
		o = o.Clone()
		o.Set(int64(1), "spec", "replicas")
		fields := map[string]any{"f:spec": map[string]any{"f:replicas": map[string]any{}}}
		o.Set([]any{map[string]any{"manager": w.operator, "fieldsV1": fields}}, "metadata", "managedFields")
		return w.store(o)
	})
}

// Pods implements sluice.Host.
func (w *world) Pods(ctx context.Context, namespace string, of ...sluice.Ref) (pods []sluice.Pod, err error) {
	err = w.effect(ctx, func() error {
		if w.running(namespace) || w.ending[namespace] {
			pods = []sluice.Pod{{Namespace: namespace, Name: "mongo-0", Owner: "StatefulSet/mongo", Ready: true}}
			pods = slices.DeleteFunc(pods, func(p sluice.Pod) bool { return !p.IsOf(of) })
		}
		return nil
	})
	return pods, err
}

func (w *world) running(namespace string) bool {
	o := w.objects[mongoRef(namespace)]
	return o != nil && o.Number(1, "spec", "replicas") > 0
}

func mongoRef(namespace string) sluice.Ref {
	return sluice.Ref{APIVersion: "apps/v1", Kind: "StatefulSet", Namespace: namespace, Name: "mongo"}
}

// Logs implements sluice.Host.
func (w *world) Logs(context.Context, string, string, int) ([]string, error) { return nil, nil }

// Exec implements sluice.Host.
func (w *world) Exec(ctx context.Context, _, pod string, command []string) (string, error) {
	return "", w.effect(ctx, func() error {
		w.execs = append(w.execs, pod+": "+strings.Join(command, " "))
		w.locked = command[0] == "lock"
		return nil
	})
}

// Address implements sluice.Host: every namespace has a listener that says which one it is.
func (w *world) Address(ctx context.Context, namespace, service string, port int) (address string, err error) {
	err = w.effect(ctx, func() error {
		ref := sluice.Ref{APIVersion: "v1", Kind: "Service", Namespace: namespace, Name: service}
		if service != "mongo" || port != 27017 || w.objects[ref] == nil {
			return missing(fmt.Sprintf("Service/%s:%d in %s", service, port, namespace))
		}
		if w.listeners[namespace] == nil {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			w.listeners[namespace] = l
			go tell(l, namespace)
		}
		address = w.listeners[namespace].Addr().String()
		return nil
	})
	return address, err
}

func tell(l net.Listener, namespace string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = io.WriteString(c, namespace)
		_ = c.Close()
	}
}
