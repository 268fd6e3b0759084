package steptest

import (
	"context"
	"iter"
	"reflect"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
)

// knows reports whether the account has the kind: every cluster has it, Serve was called, or a definition defines it.
func (a *Account) knows(apiVersion, kind string) bool {
	builtIn, err := sluice.ParseRef(kind+"/x", "")
	if err == nil && builtIn.APIVersion == apiVersion || a.served[apiVersion+" "+kind] || apiVersion == "apps/v1" {
		return true
	}
	group, _, _ := strings.Cut(apiVersion, "/")
	for ref, o := range a.objects {
		if ref.Kind == "CustomResourceDefinition" && o.Text("spec", "group") == group &&
			o.Text("spec", "names", "kind") == kind {
			return true
		}
	}
	return false
}

const unknown = "the account does not know the kind %s of %s"

// shown is the object as others read it.
func (a *Account) shown(ref sluice.Ref) sluice.Object {
	o := a.objects[ref].Clone()
	o.Set(a.owners[ref].managedFields(), "metadata", "managedFields")
	return o
}

// Get implements sluice.ClusterReader.
func (a *Account) Get(ctx context.Context, ref sluice.Ref) (sluice.Object, error) {
	if err := a.enter(ctx); err != nil {
		return nil, err
	}
	switch {
	case !a.knows(ref.APIVersion, ref.Kind):
		return nil, a.refuse(sluice.Unsupported, unknown, ref.Kind, ref.APIVersion)
	case a.objects[ref] == nil:
		return nil, a.refuse(sluice.NotFound, "there is no %s in %s", ref, ref.Namespace)
	}
	defer a.mu.Unlock()
	return a.shown(ref), nil
}

// immutable are the fields of the spec that a cluster does not let anybody change.
var immutable = map[string][]string{
	"Job":         {"template", "selector", "completions"},
	"StatefulSet": {"selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates"},
	"Deployment":  {"selector"},
}

// Scale implements sluice.ClusterWriter.
func (a *Account) Scale(ctx context.Context, ref sluice.Ref, replicas int) error {
	if err := a.enter(ctx); err != nil {
		return err
	}
	o := a.objects[ref]
	switch {
	case ref.Kind != "Deployment" && ref.Kind != "StatefulSet" && ref.Kind != "ReplicaSet":
		return a.refuse(sluice.Unsupported, "a %s cannot be scaled", ref.Kind)
	case o == nil:
		return a.refuse(sluice.NotFound, "there is no %s in %s", ref, ref.Namespace)
	case o.Number(1, "spec", "replicas") == replicas:
		a.mu.Unlock()
		return nil
	}
	o = o.Clone()
	o.Set(int64(replicas), "spec", "replicas")
	a.store(ref, o)
	return a.wrote()
}

// remove forgets the object, and keeps its last state for those who watch it.
func (a *Account) remove(ref sluice.Ref) {
	o := a.shown(ref)
	o.Set("2026-01-01T00:00:00Z", "metadata", "deletionTimestamp")
	a.gone = append(a.gone, o)
	delete(a.objects, ref)
	delete(a.owners, ref)
	delete(a.sets, ref)
	delete(a.setNames, ref)
}

// List implements sluice.ClusterReader.
func (a *Account) List(ctx context.Context, apiVersion, kind, namespace string) ([]sluice.Object, error) {
	all, _, err := a.since(ctx, a.view(), sluice.Ref{APIVersion: apiVersion, Kind: kind, Namespace: namespace})
	if sluice.ErrorCode(err) == sluice.Unsupported {
		return nil, nil
	}
	return all, err
}

// Watch implements sluice.ClusterReader.
func (a *Account) Watch(ctx context.Context, apiVersion, kind, namespace string) iter.Seq2[sluice.Object, error] {
	return a.Follow(ctx, sluice.Ref{APIVersion: apiVersion, Kind: kind, Namespace: namespace})
}

// Follow implements sluice.ClusterReader.
func (a *Account) Follow(ctx context.Context, ref sluice.Ref) iter.Seq2[sluice.Object, error] {
	return func(yield func(sluice.Object, error) bool) {
		seen := a.view()
		for first := true; ctx.Err() == nil; first = false {
			fresh, changed, err := a.since(ctx, seen, ref)
			if err != nil {
				yield(nil, err)
				return
			}
			if first && len(fresh) == 0 && ref.Name != "" {
				fresh = append(fresh, ref.Absent())
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

// A view is what a watcher has seen.
type view struct {
	objects map[sluice.Ref]sluice.Object
	gone    int // how many of those that are gone
}

// view returns that of a watcher who comes now and has seen nothing.
func (a *Account) view() *view {
	a.mu.Lock()
	defer a.mu.Unlock()
	return &view{map[sluice.Ref]sluice.Object{}, len(a.gone)}
}

// since returns the objects that are gone or changed since they were seen, by name, and a channel that is closed at the
// next change. A ref without a name stands for all of the kind.
func (a *Account) since(ctx context.Context, seen *view, of sluice.Ref) ([]sluice.Object, chan struct{}, error) {
	if err := a.enter(ctx); err != nil {
		return nil, nil, err
	}
	if !a.knows(of.APIVersion, of.Kind) {
		return nil, nil, a.refuse(sluice.Unsupported, unknown, of.Kind, of.APIVersion)
	}
	defer a.mu.Unlock()
	var fresh []sluice.Object
	for _, o := range a.gone[seen.gone:] {
		if names(of, o.Ref()) {
			fresh = append(fresh, o.Clone())
			delete(seen.objects, o.Ref())
		}
	}
	seen.gone = len(a.gone)
	for _, ref := range a.refs(of) {
		if o := a.shown(ref); !reflect.DeepEqual(seen.objects[ref], o) {
			seen.objects[ref] = o
			fresh = append(fresh, o.Clone())
		}
	}
	return fresh, a.changed, nil
}

// names reports whether of names the object, or all of its kind.
func names(of, ref sluice.Ref) bool {
	return ref.APIVersion == of.APIVersion && ref.Kind == of.Kind &&
		(of.Namespace == "" || ref.Namespace == of.Namespace) && (of.Name == "" || ref.Name == of.Name)
}

// refs lists the objects that the ref names, sorted by name.
func (a *Account) refs(of sluice.Ref) []sluice.Ref {
	var all []sluice.Ref
	for ref := range a.objects {
		if names(of, ref) {
			all = append(all, ref)
		}
	}
	slices.SortFunc(all,
		func(a, b sluice.Ref) int { return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name) })
	return all
}
