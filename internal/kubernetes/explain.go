package kubernetes

import (
	"context"
	"encoding/json"
	"net/url"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// explain adds to a workload that is not ready why its pods wait, as far as the rights to see them go.
func (a *Account) explain(ctx context.Context, r resource, o sluice.Object) (sluice.Object, error) {
	if !isWorkload(r) || isUnseen(o) || manifest.Status(o).Phase == manifest.Ready {
		return o, nil
	}
	q := inquest{workload: o, now: time.Now()}
	var err error
	if q.replicas, err = a.replicas(ctx, o); err == nil && r.kind != "Deployment" {
		q.refusal, err = a.lastRefusal(ctx, o)
	}
	if err != nil && sluice.ErrorCode(err) != sluice.Denied {
		return nil, err
	}
	q.isCurrent = func(r replica) bool {
		if o.Text("kind") != "Deployment" {
			return isOfRevision(o, r)
		}
		current, failure := a.replicaSets.isCurrent(ctx, o, r)
		if failure != nil && sluice.ErrorCode(failure) != sluice.Denied {
			err = failure
		}
		return current && failure == nil
	}
	v, _ := q.hold()
	if err != nil && sluice.ErrorCode(err) != sluice.Denied {
		return nil, err
	}
	return v.on(o), nil
}

// replicas returns the pods of the workload.
func (a *Account) replicas(ctx context.Context, o sluice.Object) ([]replica, error) {
	selector, err := podSelector(o)
	if err != nil {
		return nil, err
	}
	var list []replica
	namespace, owner := o.Text("metadata", "namespace"), o.Text("kind")+"/"+o.Text("metadata", "name")
	ask := request{op: "list pods", path: namespaced("v1", namespace, "pods"), query: url.Values{"labelSelector": {selector}}}
	err = pages(ctx, a, ask, func(page *podPage) {
		for i := range page.Items {
			if r := replicaOf(&page.Items[i]); r.owner == owner {
				list = append(list, r)
			}
		}
	})
	return list, err
}

func podSelector(o sluice.Object) (string, error) {
	data, err := json.Marshal(o.Field("spec", "selector"))
	if err != nil {
		return "", err
	}
	var s metav1.LabelSelector
	if err := json.Unmarshal(data, &s); err != nil {
		return "", err
	}
	selector, err := metav1.LabelSelectorAsSelector(&s)
	if err != nil {
		return "", err
	}
	return selector.String(), nil
}

// lastRefusal returns why pods of the workload could not be created, as the latest event tells.
func (a *Account) lastRefusal(ctx context.Context, o sluice.Object) (refusal, error) {
	var last creationEvent
	ask := request{op: "list events", path: namespaced("v1", o.Text("metadata", "namespace"), "events"), query: failedCreations(o.Text("metadata", "uid"))}
	err := pages(ctx, a, ask, func(page *eventPage) {
		for _, e := range page.Items {
			if e.isLater(last) {
				last = e
			}
		}
	})
	return last.refusal(lastWrite(o)), err
}
