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
	if err := r.read(ctx, &d); err != nil && sluice.ErrorCode(err) != sluice.Denied {
		return nil, err
	}
	c, _ := d.condition()
	return c.on(o), nil
}

// read reads what the diagnosis needs besides the workload.
func (r *Reader) read(ctx context.Context, d *diagnosis) (err error) {
	selector, err := podSelector(d.workload)
	if err != nil {
		return err
	}
	query := url.Values{"labelSelector": {selector}}
	isDeployment := d.workload.Text("kind") == "Deployment"
	if isDeployment {
		if d.sets, err = r.sets(ctx, d.workload, query); err != nil {
			return err
		}
	}
	if d.replicas, err = r.replicas(ctx, *d, query); err == nil && !isDeployment {
		d.refusal, err = r.refusal(ctx, d.workload)
	}
	return err
}

// sets returns the ReplicaSets of the Deployment.
func (r *Reader) sets(ctx context.Context, o sluice.Object, query url.Values) (map[string]replicaSet, error) {
	all := map[string]replicaSet{}
	ask := client.Request{
		Op: "list replicasets", Path: client.Path("apps/v1", o.Text("metadata", "namespace"), "replicasets"), Query: query,
	}
	err := client.Pages(ctx, r.client, ask, func(page *client.List[replicaSet]) {
		for _, set := range page.Items {
			if set.ownerUID == uidOf(o) {
				all[set.uid] = set
			}
		}
	})
	return all, err
}

// replicas returns the pods of the workload.
func (r *Reader) replicas(ctx context.Context, d diagnosis, query url.Values) ([]replica, error) {
	var list []replica
	ask := client.Request{
		Op: "list pods", Path: client.Path("v1", d.workload.Text("metadata", "namespace"), "pods"), Query: query,
	}
	err := client.Pages(ctx, r.client, ask, func(page *client.List[pod.Pod]) {
		for i := range page.Items {
			p := replicaOf(&page.Items[i])
			if _, ok := d.sets[p.controller]; ok || p.controller == uidOf(d.workload) {
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
