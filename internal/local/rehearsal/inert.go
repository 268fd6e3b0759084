package rehearsal

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"strings"

	"github.com/sluice-cd/sluice"
	kjson "sigs.k8s.io/json"
)

// Inert objects are kept in ConfigMaps: they survive as everything in the account does and go with their namespace.
const (
	inertLabel = "sluice-cd.github.io/inert-kind"
	inertKey   = "object"
	// clusterWide is the namespace for objects without one.
	clusterWide = "sluice-rehearsal"
)

// inertRef returns the ConfigMap that keeps the object.
func inertRef(ref sluice.Ref) sluice.Ref {
	name := "inert-" + digest(ref.Kind+"/"+ref.Namespace+"/"+ref.Name)
	return sluice.Ref{APIVersion: "v1", Kind: "ConfigMap", Namespace: cmp.Or(ref.Namespace, clusterWide), Name: name}
}

func (a *account) getInert(ctx context.Context, ref sluice.Ref) (sluice.Object, error) {
	box, err := a.Account.Get(ctx, inertRef(ref))
	if sluice.ErrorCode(err) == sluice.NotFound {
		return nil, sluice.Errorf(sluice.NotFound, "there is no %s in the namespace %s", ref, ref.Namespace)
	}
	if err != nil {
		return nil, err
	}
	return unbox(box)
}

func (a *account) applyInert(ctx context.Context, o sluice.Object, dryRun bool) (sluice.Object, sluice.Outcome, error) {
	box, err := boxed(o)
	if err != nil {
		return nil, "", err
	}
	applied, outcome, err := a.Account.Apply(ctx, box, dryRun)
	if err != nil {
		return nil, "", err
	}
	kept, err := unbox(applied)
	return kept, outcome, err
}

func (a *account) deleteInert(ctx context.Context, ref sluice.Ref) error {
	return a.Account.Delete(ctx, inertRef(ref))
}

func (a *account) watchInert(ctx context.Context, kind, namespace string) iter.Seq2[sluice.Object, error] {
	return func(yield func(sluice.Object, error) bool) {
		for box, err := range a.Account.Watch(ctx, "v1", "ConfigMap", cmp.Or(namespace, clusterWide)) {
			if err == nil && box.Text("metadata", "labels", inertLabel) != kind {
				continue
			}
			var o sluice.Object
			if err == nil {
				o, err = unbox(box)
			}
			if !yield(o, err) {
				return
			}
		}
	}
}

func (a *account) followInert(ctx context.Context, ref sluice.Ref) iter.Seq2[sluice.Object, error] {
	return func(yield func(sluice.Object, error) bool) {
		for box, err := range a.Account.Follow(ctx, inertRef(ref)) {
			o := ref.Absent()
			if err == nil && box.Field("data") != nil {
				o, err = unbox(box)
			}
			if !yield(o, err) {
				return
			}
		}
	}
}

// boxed puts the object into its ConfigMap, without the fields that the account added.
func boxed(o sluice.Object) (sluice.Object, error) {
	plain := o.Clone()
	delete(plain, "status")
	if meta, ok := plain["metadata"].(map[string]any); ok {
		for _, field := range []string{"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields",
			"deletionTimestamp"} {
			delete(meta, field)
		}
	}
	var encoded bytes.Buffer
	enc := json.NewEncoder(&encoded)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(plain); err != nil {
		return nil, sluice.Errorf(sluice.Invalid, "%s cannot be written as JSON: %w", o.Ref(), err)
	}
	ref := inertRef(o.Ref())
	return sluice.Object{
		"apiVersion": ref.APIVersion, "kind": ref.Kind,
		"metadata": map[string]any{"name": ref.Name, "namespace": ref.Namespace,
			"labels": map[string]any{inertLabel: o.Text("kind")}},
		"data": map[string]any{inertKey: strings.TrimSpace(encoded.String())},
	}, nil
}

// unbox returns the object with the fields that a cluster would add, and with a status that counts as ready.
func unbox(box sluice.Object) (sluice.Object, error) {
	var o sluice.Object
	if err := kjson.UnmarshalCaseSensitivePreserveInts([]byte(box.Text("data", inertKey)), &o); err != nil {
		return nil, sluice.Errorf(sluice.Internal, "the inert object in %s cannot be read: %w", box.Ref(), err)
	}
	for _, field := range []string{"uid", "resourceVersion", "creationTimestamp", "deletionTimestamp"} {
		if v := box.Field("metadata", field); v != nil {
			o.Set(v, "metadata", field)
		}
	}
	o.Set(int64(1), "metadata", "generation")
	o["status"] = readyStatus(o.Text("kind"))
	return o, nil
}

// readyStatus is the final status that the controllers of a cluster would give the kind.
func readyStatus(kind string) map[string]any {
	switch kind {
	case "CustomResourceDefinition":
		return conditions("Established", "NamesAccepted")
	case "Pod":
		return map[string]any{"phase": "Succeeded"}
	case "Migration": // of Stork; a migration of nothing counts as failed
		moved := map[string]any{"kind": "PersistentVolumeClaim", "name": "rehearsed", "status": "Successful"}
		return map[string]any{"stage": "Final", "status": "Successful", "resources": []any{moved}}
	case "DaemonSet":
		return map[string]any{
			"observedGeneration": int64(1), "desiredNumberScheduled": int64(0), "currentNumberScheduled": int64(0),
			"updatedNumberScheduled": int64(0), "numberReady": int64(0), "numberAvailable": int64(0),
		}
	}
	return map[string]any{}
}

func conditions(names ...string) map[string]any {
	var list []any
	for _, name := range names {
		list = append(list, map[string]any{"type": name, "status": "True"})
	}
	return map[string]any{"conditions": list}
}
