package history

import (
	"context"
	"reflect"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// remembered is how many releases of a target are searched for what they applied.
const remembered = 50

// Inventory returns what earlier deployments of the application applied to the target and left there, in an order in
// which it can be applied. Claims, namespaces and definitions of kinds are left out: data goes with them.
func Inventory(ctx context.Context, log sluice.Log, application, target string) ([]sluice.Ref, error) {
	h, err := Read(ctx, log, application, false, func(h *History) bool {
		return len(h.Since(target, "")) >= remembered
	})
	if err != nil {
		return nil, err
	}
	var objects []sluice.Object
	for _, r := range h.Since(target, "") {
		objects = append(objects, applied(r)...)
	}
	return inOrder(objects), nil
}

// Gone returns the objects that the target's later releases created and the given one does not have, in an order in
// which they can be applied. A return to the release deletes it. Claims, namespaces and definitions are left out.
func (h *History) Gone(to sluice.Release) []sluice.Ref {
	var objects []sluice.Object
	for _, r := range h.Since(to.Target, to.Deployment) {
		for _, o := range applied(r) {
			ref := o.Ref()
			if slices.Contains(r.Created, ref.String()) && !slices.ContainsFunc(to.Objects, ref.Same) {
				objects = append(objects, o)
			}
		}
	}
	return inOrder(objects)
}

// Running returns the releases that the targets of the applications run. What was rehearsed and what was deployed for
// real are apart, as in [Read].
func Running(ctx context.Context, log sluice.Log, rehearsed bool, applications []string) ([]sluice.Release, error) {
	var all []sluice.Release
	for _, name := range applications {
		h, err := Read(ctx, log, name, rehearsed, func(*History) bool { return false })
		if err != nil {
			return nil, err
		}
		for name := range h.targets {
			if now, ok := h.Current(name); ok {
				all = append(all, now)
			}
		}
	}
	return all, nil
}

// Has reports whether the release has the object, which is in the account.
func Has(r sluice.Release, account string, o sluice.Ref) bool {
	t, _ := r.Plan.Target(r.Target)
	return t.Account == account && slices.ContainsFunc(r.Objects, o.Same)
}

func applied(r sluice.Release) []sluice.Object {
	for _, s := range r.Plan.Steps {
		if s.Target == r.Target && s.Apply != nil {
			return s.Apply.Objects
		}
	}
	return nil
}

func inOrder(objects []sluice.Object) []sluice.Ref {
	var refs []sluice.Ref
	for _, o := range manifest.Order(objects) {
		if ref := o.Ref(); !holdsData(ref.Kind) && !slices.Contains(refs, ref) {
			refs = append(refs, ref)
		}
	}
	return refs
}

func holdsData(kind string) bool {
	switch kind {
	case "Namespace", "PersistentVolumeClaim", "PersistentVolume", "CustomResourceDefinition":
		return true
	}
	return false
}

// sameContent reports whether two releases of a target are the same objects in the same place.
func sameContent(a, b sluice.Release) bool {
	return place(a) == place(b) && reflect.DeepEqual(applied(a), applied(b))
}
