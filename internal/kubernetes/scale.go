package kubernetes

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-cd/sluice"
)

// Scale writes nothing where the workload wants as many already. A count that was somebody else's stays theirs in
// the eyes of Apply. Built-in workloads are not scaled through their scale subresource, since the API server forgets
// who scales to none that way.
func (a *Account) Scale(ctx context.Context, ref sluice.Ref, replicas int) error {
	r, err := a.mapper.find(ctx, ref.APIVersion, ref.Kind)
	if err != nil {
		return err
	}
	if !r.has("scale") {
		return sluice.Errorf(sluice.Unsupported, "a %s has no number of replicas to set", ref.Kind)
	}
	live, err := a.read(ctx, r, ref)
	if err != nil {
		return err
	}
	if live.Number(1, "spec", "replicas") == replicas && live.Field("spec", "replicas") != nil {
		return nil
	}
	name := scaled
	if isScaledByOthers(live) {
		name = counted
	}
	patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)
	var through []string
	if r.Group != "apps" {
		through = []string{"scale"} // who knows where such a kind keeps its count
	}
	u, err := a.client(r, ref.Namespace).Patch(ctx, ref.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: name}, through...)
	if err != nil {
		return mapError("scale "+ref.String(), err)
	}
	if through == nil {
		a.hub.saw(r, u.Object)
		return nil
	}
	if !a.hub.follows(r, live) {
		return nil
	}
	// Whoever watches must not see the count of before any more.
	_, err = a.read(ctx, r, ref)
	return err
}
