package apply

import (
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
)

// The field managers of Scale.
const (
	scaleOwn    = sluice.Manager + "-scale"      // the number was Sluice's before: the next Apply may change it
	scaleOthers = sluice.Manager + "-scale-kept" // the number was somebody else's before: Apply keeps it
)

var replicasPath = fieldpath.MakePathOrDie("spec", "replicas")

// Scale sets the number of replicas. It sends no write request if the workload has that number already. If the number
// was somebody else's, Apply still treats it as theirs. The built-in workloads are not scaled through their scale
// subresource, because the API server does not record the manager of a scaling to zero that way.
func (w *Writer) Scale(ctx context.Context, ref sluice.Ref, replicas int) error {
	o, err := w.client.Resolve(ctx, ref)
	if err != nil {
		return err
	}
	if !o.Resource.Has("scale") {
		return sluice.Errorf(sluice.Unsupported, "a %s has no number of replicas to set", ref.Kind)
	}
	live, err := w.informers.ReadLive(ctx, o)
	if err != nil {
		return err
	}
	if live.Number(1, "spec", "replicas") == replicas && live.Field("spec", "replicas") != nil {
		return nil
	}
	p := client.Patch{Type: types.MergePatchType, Data: fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)}
	p.Options = metav1.PatchOptions{FieldManager: scaleOwn}
	if isScaledByOthers(live) {
		p.Options.FieldManager = scaleOthers
	}
	if o.Resource.Group != "apps" {
		p.Subresource = "scale" // which knows where such a kind keeps its number
	}
	now, err := w.client.Patch(ctx, o, p)
	if err != nil {
		return client.Wrap("scale "+ref.String(), err)
	}
	if p.Subresource == "" {
		w.informers.Saw(o.Resource, now)
		return nil
	}
	if !w.informers.IsWatched(o.Resource, live) {
		return nil
	}
	// After Scale no watch may yield the previous number.
	_, err = w.informers.ReadLive(ctx, o)
	return err
}

// isScaledByOthers reports whether somebody other than Sluice decides on the number of replicas. Only scaling to zero
// through the scale subresource leaves a number without an owner.
func isScaledByOthers(o sluice.Object) bool {
	isOwned := false
	for _, e := range client.ManagedFields(o) {
		if s := fieldSet(e); s == nil || !s.Has(replicasPath) {
			continue
		}
		isOwned = true
		if e.Text("manager") == scaleOthers || e.Text("subresource") == "scale" && e.Text("manager") != scaleOwn {
			return true
		}
	}
	return !isOwned && isAppliedBySluice(o) && o.Number(-1, "spec", "replicas") == 0
}

// isAppliedBySluice reports whether Sluice applied the object, for whatever application.
func isAppliedBySluice(o sluice.Object) bool {
	return slices.ContainsFunc(client.ManagedFields(o), func(e sluice.Object) bool {
		name := e.Text("manager")
		return e.Text("operation") == "Apply" && (name == sluice.Manager || sluice.ApplicationOf(name) != "")
	})
}

// isScaledByUs reports whether Scale changed a number that was Sluice's own.
func isScaledByUs(o sluice.Object) bool {
	return slices.ContainsFunc(client.ManagedFields(o), func(e sluice.Object) bool {
		s := fieldSet(e)
		return e.Text("manager") == scaleOwn && s != nil && s.Has(replicasPath)
	})
}
