package watch

import (
	"context"
	"net/url"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
	"github.com/sluice-cd/sluice/internal/kubernetes/pod"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// explain adds the condition to a workload that is not ready, as far as the rights to see its pods and events go.
func (r *Reader) explain(ctx context.Context, resource client.Resource, o sluice.Object) (sluice.Object, error) {
	if !isWorkload(resource) || isUnobserved(o) || manifest.Status(o).Phase == manifest.Ready {
		return o, nil
	}
	d := diagnosis{workload: o, now: time.Now()}
	var err error
	if d.replicas, err = r.replicas(ctx, o); err == nil && resource.Kind != "Deployment" {
		d.refusal, err = r.refusal(ctx, o)
	}
	if err != nil && sluice.ErrorCode(err) != sluice.Denied {
		return nil, err
	}
	d.isCurrent = func(p replica) bool {
		if o.Text("kind") != "Deployment" {
			return isOfRevision(o, p)
		}
		current, failure := r.informers.replicaSets.isCurrent(ctx, o, p)
		if failure != nil && sluice.ErrorCode(failure) != sluice.Denied {
			err = failure
		}
		return current && failure == nil
	}
	c, _ := d.condition()
	if err != nil && sluice.ErrorCode(err) != sluice.Denied {
		return nil, err
	}
	return c.on(o), nil
}

// replicas returns the pods of the workload.
func (r *Reader) replicas(ctx context.Context, o sluice.Object) ([]replica, error) {
	selector, err := podSelector(o)
	if err != nil {
		return nil, err
	}
	var list []replica
	owner := o.Text("kind") + "/" + o.Text("metadata", "name")
	ask := client.Request{
		Op: "list pods", Path: client.Path("v1", o.Text("metadata", "namespace"), "pods"),
		Query: url.Values{"labelSelector": {selector}},
	}
	err = client.Pages(ctx, r.client, ask, func(page *client.List[pod.Pod]) {
		for i := range page.Items {
			if p := replicaOf(&page.Items[i]); p.owner == owner {
				list = append(list, p)
			}
		}
	})
	return list, err
}

func podSelector(o sluice.Object) (string, error) {
	var s metav1.LabelSelector
	declared, _ := o.Field("spec", "selector").(map[string]any)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(declared, &s); err != nil {
		return "", err
	}
	selector, err := metav1.LabelSelectorAsSelector(&s)
	if err != nil {
		return "", err
	}
	return selector.String(), nil
}

// refusal returns why pods of the workload cannot be created, as the latest event says.
func (r *Reader) refusal(ctx context.Context, o sluice.Object) (refusal, error) {
	var last creationFailure
	ask := client.Request{
		Op: "list events", Path: client.Path("v1", o.Text("metadata", "namespace"), "events"),
		Query: creationFailures(o.Text("metadata", "uid")),
	}
	err := client.Pages(ctx, r.client, ask, func(page *client.List[creationFailure]) {
		for _, e := range page.Items {
			if e.isLater(last) {
				last = e
			}
		}
	})
	return last.since(lastWrite(o)), err
}
